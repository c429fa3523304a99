"""Batches of pixels: any part is the same as in the whole, and the held-out part is what the model sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from data_material import CPU, SIZE, generator, pixel_data, samples_of, truth_of  # noqa: E402

from eyebright.data.decode import load_square  # noqa: E402
from eyebright.training.finetune.data.augment import PRESETS  # noqa: E402
from eyebright.training.finetune.data.mixup import Mixing  # noqa: E402
from eyebright.training.finetune.system.distributed import ProcessGroup  # noqa: E402

PLACES = np.array([7, 3, 11, 0, 5, 3, 8])


@pytest.mark.parametrize("mixing", [Mixing(), Mixing(0.5, 1.0)], ids=["plain", "mixed"])
@pytest.mark.parametrize("name", ["none", "standard", "trivial"])
def test_parts_are_the_whole(textile: Path, feature_cache: Path, name, mixing: Mixing) -> None:
    data = pixel_data(textile, feature_cache, PRESETS[name], mixing)
    images, targets = data.draw(PLACES, 0, generator()).part(slice(0, 7), CPU)
    assert images.shape == (7, 3, SIZE, SIZE)
    assert targets.shape == (7, data.classes)
    assert torch.allclose(targets.sum(1), torch.ones(7))
    for step in (1, 2, 5):
        batch = data.draw(PLACES, 0, generator())
        parts = [batch.part(slice(n, min(n + step, 7)), CPU) for n in range(0, 7, step)]
        assert torch.equal(torch.cat([p[0] for p in parts]), images)
        assert torch.equal(torch.cat([p[1] for p in parts]), targets)


def test_without_augmentation_inputs_are_what_the_sealed_model_sees(
    textile: Path, feature_cache: Path
) -> None:
    data = pixel_data(textile, feature_cache, PRESETS["none"])
    train = samples_of(textile, "train", 12)
    images, targets = data.draw(PLACES, 0, generator()).part(slice(0, 7), CPU)
    for image, target, place in zip(images, targets, PLACES, strict=True):
        expected = load_square(textile / train[place].path, SIZE, "bicubic")
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), expected)
        assert target.argmax() == truth_of(train)[0][place]
        assert target.max() == 1


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_held_out_images_come_in_order_and_unchanged(textile: Path, feature_cache: Path, batch: int) -> None:
    data = pixel_data(textile, feature_cache, PRESETS["standard"], Mixing(1.0))
    val = samples_of(textile, "val", 7)
    parts = list(data.holdout(batch, CPU))
    assert [len(p[1]) for p in parts] == [min(batch, 7 - n) for n in range(0, 7, batch)]
    expected = np.stack([load_square(textile / s.path, SIZE, "bicubic") for s in val])
    pixels = torch.cat([p[0] for p in parts]).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_array_equal(torch.cat([p[1] for p in parts]), truth_of(val)[0])


def test_processes_share_held_out_images_whatever_their_batches(textile: Path, feature_cache: Path) -> None:
    data = pixel_data(textile, feature_cache, PRESETS["none"])
    teams = [ProcessGroup(CPU, rank, 3) for rank in range(3)]
    parts = [
        part
        for group, batch in zip(teams, (4, 1, 2), strict=True)
        for part in data.holdout(batch, CPU, group.rows(data.holdout_count))
    ]
    whole = list(data.holdout(7, CPU))
    assert len(parts) > len(teams)
    for one, other in zip(zip(*parts, strict=True), zip(*whole, strict=True), strict=True):
        assert torch.equal(torch.cat(one), torch.cat(other))


def test_mixed_targets_belong_to_the_neighbours(textile: Path, feature_cache: Path) -> None:
    data = pixel_data(textile, feature_cache, PRESETS["none"], Mixing(1.0))
    places = np.array([0, 11])  # of two classes
    images, targets = data.draw(places, 0, generator()).part(slice(0, 2), CPU)
    plain = data.pixels.rows(places).transpose(0, 3, 1, 2).astype(np.float32)
    own = targets[torch.arange(2), data.truth[places]].view(2, 1, 1, 1).numpy()
    expected = own * plain + (1 - own) * plain[::-1].copy()
    np.testing.assert_allclose(images, expected, atol=1e-3)
    assert own.min() > 0
    assert own.max() < 1


def test_training_inputs_may_be_smaller_than_what_is_judged(textile: Path, feature_cache: Path) -> None:
    data = pixel_data(textile, feature_cache, PRESETS["standard"], Mixing(0.5, 1.0), size=32)
    images, _ = data.draw(PLACES, 0, generator()).part(slice(0, 7), CPU)
    assert images.shape == (7, 3, 32, 32)
    assert data.pixels.size == SIZE
    evaluated = torch.cat([inputs for inputs, _ in data.holdout(4, CPU)])
    assert evaluated.shape == (7, 3, SIZE, SIZE)
