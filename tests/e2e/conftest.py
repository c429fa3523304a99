"""One run that the command line trained, for the tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import train


@pytest.fixture(scope="session")
def run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    train(textile, out)
    return out


@pytest.fixture(scope="session")
def val_images(textile: Path) -> list[Path]:
    """In the order of predictions.csv."""
    return sorted((textile / "val").rglob("*.jpg"))
