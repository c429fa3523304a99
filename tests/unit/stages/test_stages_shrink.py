"""What int8 makes of candidates: each has its own file, and none ends the search."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eyebright.config.shrink import ShrinkConfig
from eyebright.config.train import TrainConfig
from eyebright.runtime.progress import SILENT
from eyebright.sealed.model import SealedModel
from eyebright.stages.run import Run
from eyebright.stages.shrink import Search
from eyebright.stages.train import train


@pytest.fixture(scope="module")
def smaller_run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("smaller") / "run"
    return train(TrainConfig(data=textile, out=out, size=64, layers="texture"))


def search(model: Path, out: Path, *also: Path, data: Path | None = None) -> Search:
    target = ["size<=1MB"]
    return Search(ShrinkConfig(model=model, also=list(also), data=data, target=target, out=out), SILENT)


def test_runs_whose_directories_have_the_same_name_have_their_own_int8_files(
    textile_run: Run, smaller_run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "run"
    shutil.copytree(textile_run.directory, model)
    tried = search(model, tmp_path / "out", smaller_run.directory)
    both = [
        tried._measured(str(path), path / "model.onnx", "fp32") for path in (model, smaller_run.directory)
    ]
    found = list(tried._integers(both))
    assert [c.precision for c in found] == ["int8", "int8"]
    assert [SealedModel(c.path).size for c in found] == [96, 64]
