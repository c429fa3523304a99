"""Real photographs of textile as views, and a tiny net that is always the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def textile_views(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Views of 24 textile photographs at 64 px, augmented anew in each step."""
    pytest.importorskip("timm")
    from pretraining import pixel_views

    return pixel_views(textile / "train", every=3)
