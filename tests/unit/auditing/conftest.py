"""Pictures of cloth."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def textile_pictures(textile: Path) -> list[Image.Image]:
    """Some photographs of woven cloth, the hard case: all of one pattern, none a copy."""
    files = sorted((textile / "train" / "nominal").iterdir())[:12]
    return [Image.open(file).convert("RGB") for file in files]
