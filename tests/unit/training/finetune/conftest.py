"""What the tests of the loop learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def textile_data(textile: Path) -> Any:
    """The textile photographs as `Photographs`, decoded once for a module."""
    pytest.importorskip("timm")
    from finetune_material import Photographs

    return Photographs(textile)
