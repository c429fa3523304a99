"""What `export` does where something is wrong with the model, its images or one of the formats."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eyebright.config.export import ExportConfig
from eyebright.errors import DataError
from eyebright.stages.export import export
from eyebright.stages.run import Run


@pytest.fixture
def few(textile: Path, tmp_path: Path) -> Path:
    """The run's images, too few of them to calibrate on."""
    place = Path(shutil.copytree(textile, tmp_path / "few"))
    for number, path in enumerate(sorted((place / "train").rglob("*.jpg"))):
        if number % 8:
            path.unlink()
    return place


def test_every_format_hears_why_there_is_no_compressed_graph(
    textile_run: Run, few: Path, tmp_path: Path
) -> None:
    formats = ["onnx", "openvino", "triton"]
    found = export(
        ExportConfig(model=textile_run.directory, to=formats, int8=True, data=few, out=tmp_path / "out")
    )
    assert list(found.failed) == formats
    for error in found.failed.values():
        assert isinstance(error, DataError)
        assert "needs at least 20 training images" in error.text("en")
