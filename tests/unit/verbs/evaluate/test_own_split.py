"""`evaluate RUN`: the images that a training held out are evaluated again, where they lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import eyebright as eb
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import NotFoundError
from eyebright.runs.run import Run

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "log_loss",
    "ece",
    "roc_auc",
    "per_class",
    "confusion",
)


@pytest.fixture(scope="module")
def run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with drawn splits, whose groups lie in file names."""
    root = tmp_path_factory.mktemp("own")
    for folder in (textile / "train").iterdir():
        (root / "data" / folder.name).mkdir(parents=True)
        for number, file in enumerate(sorted(folder.iterdir())):
            name = f"{folder.name}{number // 3:02}_{number % 3}.jpg"
            shutil.copyfile(file, root / "data" / folder.name / name)
    options = {"val": 0.25, "test": 0.25, "group_from": "^[^_]+", "target": ["recall(local) >= 0.7"]}
    return eb.train(root / "data", out=root / "run", size=96, layers="texture", **options)


@pytest.mark.parametrize("split", ["auto", "test"])
def test_a_drawn_split_gives_the_same_figures(run: Run, tmp_path: Path, split: str) -> None:
    again = eb.evaluate(run.directory, split=split, out=tmp_path / "out")
    assert again.metrics["split"] == "test"
    assert {name: again.metrics[name] for name in METRICS} == {name: run.metrics[name] for name in METRICS}
    for name in ("operating_points", "unknown", "conformal", "groups"):
        assert again.metrics[name] == run.metrics[name]


def test_the_validation_split_is_there_too(run: Run, tmp_path: Path) -> None:
    again = eb.evaluate(run.model, split="val", out=tmp_path / "out")
    assert again.metrics["images"]["val"] == run.metrics["images"]["val"]
    assert "used to choose thresholds" in again.metrics["warnings"][0]["reason"]


def test_changed_and_missing_files_are_named(run: Run, tmp_path: Path) -> None:
    manifest = read_manifest(run.directory / "manifest.parquet")
    gone, changed, *_ = (manifest.root / s.path for s in manifest.of("test"))
    kept = {path: path.read_bytes() for path in (gone, changed)}
    try:
        gone.unlink()
        changed.write_bytes(kept[changed] + b"\0")
        again = eb.evaluate(run.directory, out=tmp_path / "out")
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
    reasons = {entry["path"]: entry["reason"] for entry in again.metrics["skipped"]}
    assert {manifest.root / path for path in reasons} == {gone, changed}
    assert "does not" in reasons[gone.relative_to(manifest.root).as_posix()]
    assert "changed after it was listed" in reasons[changed.relative_to(manifest.root).as_posix()]
    assert again.metrics["images"]["test"] == run.metrics["images"]["test"] - 2


def test_a_model_without_its_run_needs_images(run: Run, tmp_path: Path) -> None:
    shutil.copyfile(run.model, tmp_path / "model.onnx")
    with pytest.raises(NotFoundError, match="Give a folder of images"):
        eb.evaluate(tmp_path / "model.onnx", out=tmp_path / "out")
