"""Whose images a model is compared on: never those that it learned from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eyebright.data.manifest import Manifest
from eyebright.data.source import scan
from eyebright.errors import DataError
from eyebright.runs.images import drawn, manifest_of
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train


@pytest.fixture
def training_images(textile: Path, tmp_path: Path) -> Path:
    """The training images of the run alone, in class folders without parts."""
    return Path(shutil.copytree(textile / "train", tmp_path / "images"))


def found_in(folder: Path, run: Run) -> Manifest:
    return manifest_of(SealedModel(run.model), folder, 0)


def test_training_images_stay_training_images_where_no_validation_image_is(
    textile_run: Run, training_images: Path
) -> None:
    assert scan(training_images).of("val")  # those that nobody knows get a split
    found = found_in(training_images, textile_run)
    assert len(found.of("train")) == len(found.samples) > 0
    with pytest.raises(DataError, match="none from the run"):
        drawn(found, 100, 0)


def test_images_that_the_run_does_not_know_are_split_beside_those_that_it_does(
    textile_run: Run, training_images: Path
) -> None:
    known = {s.sha for s in scan(training_images).samples}
    for path in sorted(training_images.rglob("*.jpg")):  # the same picture in another file
        path.with_stem(f"{path.stem}-other").write_bytes(path.read_bytes() + b"\0")
    found = found_in(training_images, textile_run)
    assert len(found.samples) == 2 * len(known)
    assert found.of("val")
    assert not known & {s.sha for s in found.of("val")}


def test_a_pupil_is_not_judged_on_what_its_teacher_learned_from(
    textile_run: Run, training_images: Path, tmp_path: Path
) -> None:
    config = TrainConfig(data=training_images, teacher=textile_run.directory, out=tmp_path / "out", size=96)
    with pytest.raises(DataError, match="none from the run"):
        train(config)
