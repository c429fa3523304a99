"""A teacher's answers for the views that its student sees."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from eyebright.backbones.card import Preprocessing  # noqa: E402
from eyebright.data.decode import load_square  # noqa: E402
from eyebright.data.manifest import Manifest, Sample  # noqa: E402
from eyebright.errors import DataError  # noqa: E402
from eyebright.runs.images import check_classes  # noqa: E402
from eyebright.runs.run import Run  # noqa: E402
from eyebright.sealed.model import SealedModel  # noqa: E402
from eyebright.training.finetune.data.augment import PRESETS, Augmentation  # noqa: E402
from eyebright.verbs.train.finetune import teacher as teaching  # noqa: E402
from eyebright.verbs.train.finetune.dataset import open_images  # noqa: E402
from eyebright.verbs.train.finetune.teacher import spread, teacher_predictions  # noqa: E402
from eyebright.verbs.train.options import TrainConfig  # noqa: E402

CPU = torch.device("cpu")
COUNT = 6


def rows_of(run: Run, manifest: Manifest, augmentation: Augmentation, **options: Any):
    config = TrainConfig(teacher=run.directory, **options)
    samples = manifest.of("train")[:COUNT]
    return teacher_predictions(config, manifest.root, manifest.labels, samples, augmentation)


def test_plain_views_are_answered_as_the_sealed_model_does(textile_run: Run, textile_manifest: Manifest):
    rows = rows_of(textile_run, textile_manifest, PRESETS["none"])
    assert rows.count == 1
    model = SealedModel(textile_run.model, threads=1)
    found = rows.read(0, np.arange(COUNT), CPU).numpy()
    for row, sample in zip(found, textile_manifest.of("train"), strict=False):
        square = load_square(textile_manifest.root / sample.path, model.size, rows_interpolation(model))
        expected = model.probabilities(square[None])[0]
        np.testing.assert_allclose(np.exp(row), expected, atol=2e-3)


def test_answers_are_computed_once(
    textile_run: Run, textile_manifest: Manifest, monkeypatch: pytest.MonkeyPatch
):
    first = rows_of(textile_run, textile_manifest, PRESETS["light"], teacher_views=2)
    before = [first.read(view, np.arange(COUNT), CPU) for view in range(2)]
    assert not torch.equal(before[0], before[1])

    def refuse(*_: object) -> None:
        raise AssertionError("it was asked again")

    monkeypatch.setattr(teaching, "run_engine", refuse)
    again = rows_of(textile_run, textile_manifest, PRESETS["light"], teacher_views=2)
    for view, row in enumerate(before):
        assert torch.equal(again.read(view, np.arange(COUNT), CPU), row)


def test_features_are_told_in_their_main_directions(textile_run: Run, textile_manifest: Manifest):
    plain = rows_of(textile_run, textile_manifest, PRESETS["none"]).read(0, np.arange(COUNT), CPU)
    rows = rows_of(textile_run, textile_manifest, PRESETS["none"], teacher_features=0.1)
    found = rows.read(0, np.arange(COUNT), CPU)
    assert found.shape == (COUNT, 3 + COUNT - 1)
    torch.testing.assert_close(found[:, :3], plain)
    features = found[:, 3:]
    assert float(features.square().mean()) == pytest.approx(1, abs=0.02)
    spread = features.square().mean(0)
    assert (spread.diff() <= 1e-3).all()  # the first direction tells images apart best


@pytest.mark.parametrize("total", [1000, 1001, 1999, 2999])
def test_images_that_tell_the_directions_are_of_all_classes_alike(total: int):
    samples = [Sample(f"{i}.jpg", f"{10 * i // total}", "train", str(i), 8, 8) for i in range(total)]
    chosen = spread(samples, 1000)
    assert len({s.path for s in chosen}) == 1000
    assert all(abs(count - 100) <= 1 for count in Counter(s.label for s in chosen).values())
    assert spread(samples[:7], 7) == samples[:7]


def test_the_student_sees_the_view_that_was_asked_about(textile_run: Run, textile_manifest: Manifest):
    config = TrainConfig(teacher=textile_run.directory, augment="light", teacher_views=2)
    samples = textile_manifest.of("train")[:COUNT]
    size = 64
    preprocessing = Preprocessing(size, "bilinear", None, (0, 0, 0), (1, 1, 1))
    images = open_images(config, textile_manifest, samples, samples, preprocessing)
    assert images.teacher is not None
    data = images.pixel_data()
    inputs, targets = data.draw(np.arange(COUNT), 3, torch.Generator()).part(slice(0, COUNT), CPU)
    assert torch.equal(targets[:, :3].argmax(1), torch.from_numpy(images.train.truth))
    assert torch.equal(targets[:, 3:], images.teacher.read(1, np.arange(COUNT), CPU))  # epoch 3 of 2 views
    seen = images.teacher._inputs(1, np.arange(COUNT))
    smaller = torch.nn.functional.interpolate(seen, size=(size, size), mode="area")
    assert float((smaller - inputs).abs().mean()) < 12  # grey levels: the same crop, at another size
    other = torch.nn.functional.interpolate(images.teacher._inputs(0, np.arange(COUNT)), size=(size, size))
    assert float((smaller - inputs).abs().mean()) < 0.7 * float((other - inputs).abs().mean())


def test_other_classes_are_refused(textile_run: Run, textile_manifest: Manifest):
    model = SealedModel(textile_run.model)
    check_classes(model, textile_manifest.labels)
    with pytest.raises(DataError, match="Found in only one of them: velvet"):
        check_classes(model, [*textile_manifest.labels, "velvet"])


def test_a_run_keeps_its_parts(textile_run: Run, textile_manifest: Manifest, textile: Path):
    from eyebright.runs.images import with_run_splits

    turned = tuple(replace(s, split="train") for s in textile_manifest.samples)
    found = with_run_splits(replace(textile_manifest, samples=turned), SealedModel(textile_run.model))
    assert found.digest == textile_manifest.digest


def rows_interpolation(model: SealedModel) -> Any:
    return model.card.preprocessing.interpolation
