"""A model that another is made from is not written over."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eyebright.errors import ConfigError
from eyebright.runs.integrity import require_other_directory
from eyebright.runs.run import Run, write_options
from eyebright.verbs.prune.options import PruneConfig
from eyebright.verbs.prune.prune import prune
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.shrink import shrink
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

OWN = "must not be overwritten"


@pytest.fixture
def run(textile_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(textile_run.directory, tmp_path / "run"))


def refuse(what: Callable[[], object], run: Path) -> None:
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match=OWN):
        what()
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_teacher_is_not_written_over(run: Path, textile: Path) -> None:
    refuse(lambda: train(TrainConfig(data=textile, teacher=run, out=run)), run)
    refuse(
        lambda: train(TrainConfig(data=textile, teacher=run / "model.onnx", out=run, finetune="full")), run
    )


def test_a_training_is_not_resumed_over_its_teacher(run: Path, textile: Path) -> None:
    write_options(TrainConfig(data=textile, teacher=run, finetune="full"), run)
    refuse(lambda: train(TrainConfig(resume=run)), run)


def test_a_model_is_not_pruned_in_place(run: Path) -> None:
    pytest.importorskip("torch_pruning")
    refuse(lambda: prune(PruneConfig(model=run, out=run)), run)


def test_a_model_is_not_shrunk_in_place(run: Path, textile_run: Run) -> None:
    target = ["size<=1MB"]
    refuse(lambda: shrink(ShrinkConfig(model=run, target=target, out=run)), run)
    other = textile_run.directory
    refuse(lambda: shrink(ShrinkConfig(model=other, candidates=[run], target=target, out=run)), run)
    tried = run / "candidates"
    tried.mkdir()
    inner = shutil.copyfile(run / "model.onnx", tried / "one.onnx")
    refuse(lambda: shrink(ShrinkConfig(model=inner, data=run, target=target, out=run)), run)


def test_other_directories_pass(run: Path, tmp_path: Path) -> None:
    require_other_directory(None, run)
    require_other_directory(tmp_path, run)
    require_other_directory(run / "small", run / "model.onnx")
    link = tmp_path / "link.onnx"
    link.symlink_to(run / "model.onnx")
    with pytest.raises(ConfigError, match=OWN):
        require_other_directory(run, link)
