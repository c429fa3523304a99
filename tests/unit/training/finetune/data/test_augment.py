"""Augmentation: exact where nothing changes, alike in all parts, and within its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from eyebright.training.finetune.data.augment import (
    COLUMNS,
    PRESETS,
    Augmentation,
    AugmentName,
    AugmentPlan,
    plan,
)
from eyebright.training.finetune.data.randaugment import FILL

SIZE, STORED, COUNT = 56, 64, 11
ALL: dict[Any, Augmentation] = {
    **PRESETS,
    "everything": replace(PRESETS["standard"], upside_down=True, degrees=30.0, erasing=0.5, policy="trivial"),
}


@pytest.fixture(scope="module")
def photos(photographs: dict[str, Image.Image]) -> torch.Tensor:
    """(11, 64, 64, 3): crops of four photographs."""
    crops = []
    for n in range(COUNT):
        image = list(photographs.values())[n % 4]
        crops.append(
            np.asarray(image.crop((n * 9, n * 7, n * 9 + 200, n * 7 + 200)).resize((STORED, STORED)))
        )
    return torch.from_numpy(np.stack(crops))


def drawn(how: Augmentation, seed: int = 0, count: int = COUNT, size: int = SIZE) -> AugmentPlan:
    return plan(how, size, torch.rand(count, COLUMNS, generator=torch.Generator().manual_seed(seed)))


def applied(how: Augmentation, pixels: torch.Tensor, seed: int = 0, size: int = SIZE) -> torch.Tensor:
    return drawn(how, seed, len(pixels), size).apply(torch.arange(len(pixels)), pixels)


def test_nothing_gives_the_very_pixels(photos: torch.Tensor) -> None:
    images = applied(PRESETS["none"], photos, size=STORED)
    assert torch.equal(images, photos.permute(0, 3, 1, 2).float())
    assert PRESETS["none"].stored_size(224) == 224
    assert PRESETS["light"].stored_size(224) == 256
    assert PRESETS["light"].stored_size(192, 224) == 224


@pytest.mark.parametrize(
    ("name", "size", "smaller"),
    [
        ("none", 224, 224),
        ("light", 224, 192),
        ("standard", 224, 192),
        ("standard", 288, 224),
        ("standard", 448, 352),
        ("standard", 64, 64),
    ],
)
def test_crops_show_things_as_large_as_whole_images_do(name: AugmentName, size: int, smaller: int) -> None:
    how = PRESETS[name]
    assert how.input_size(size) == smaller
    # Across many crops, how much a thing's side grows, against how much smaller the input is.
    moves = drawn(how, count=4000).moves
    grown = 1 / moves[:, 0, 0].abs().mean()
    assert abs(float(grown) * smaller / size - 1) < (0.2 if size > 64 else 0.3)


@pytest.mark.parametrize("name", ALL)
def test_parts_are_bit_identical_to_the_whole(photos: torch.Tensor, name: str) -> None:
    how = ALL[name]
    size = SIZE if how.moves else STORED
    whole = applied(how, photos, size=size)
    assert whole.shape == (COUNT, 3, size, size)
    assert whole.dtype == torch.float32
    assert whole.is_contiguous(memory_format=torch.channels_last)
    assert whole.min() >= 0
    assert whole.max() <= 255
    for step in (1, 3, 7):
        again = drawn(how, size=size)
        parts = [again.apply(p, photos[p]) for p in torch.arange(COUNT).split(step)]
        assert torch.equal(torch.cat(parts), whole)
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        assert torch.equal(applied(how, photos, size=size), whole)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", [name for name in ALL if name != "none"])
def test_chance_decides_and_torchs_own_state_is_left_alone(photos: torch.Tensor, name: str) -> None:
    before = torch.get_rng_state()
    size = SIZE if ALL[name].moves else STORED
    first, second = (applied(ALL[name], photos, seed=seed, size=size) for seed in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("option", "axis"), [("mirror", 3), ("upside_down", 2)])
def test_half_of_the_images_are_turned_round(photos: torch.Tensor, option: str, axis: int) -> None:
    images = applied(Augmentation(**{option: True}), photos, size=STORED)
    plain = photos.permute(0, 3, 1, 2).float()
    turned = [torch.allclose(i, p.flip(axis - 1), atol=0.01) for i, p in zip(images, plain, strict=True)]
    kept = [torch.allclose(i, p, atol=0.01) for i, p in zip(images, plain, strict=True)]
    assert [a != b for a, b in zip(turned, kept, strict=True)] == [True] * COUNT
    moves = drawn(Augmentation(**{option: True}), count=2000).moves
    assert 0.45 < (moves[:, axis - 3 if axis == 3 else 1, 0 if axis == 3 else 1] < 0).float().mean() < 0.55


def test_crops_are_within_the_image_and_the_limits() -> None:
    moves = drawn(PRESETS["standard"], count=4000).moves
    width, height = moves[:, 0, 0].abs(), moves[:, 1, 1]
    area, ratio = width * height, width / height
    assert 0.35 <= area.min() < 0.36
    assert 0.99 < area.max() <= 1.0001
    assert ratio.min() + 1e-5 >= 0.75
    assert ratio.max() <= 4 / 3 + 1e-5
    assert (moves[:, 0, 2].abs() + width).max() <= 1 + 1e-6
    assert (moves[:, 1, 2].abs() + height).max() <= 1 + 1e-6
    assert (area[(ratio < 0.8) | (ratio > 1.25)]).max() < 0.9  # wide crops of the whole do not exist


def test_a_crop_is_what_pillow_cuts_out(photos: torch.Tensor) -> None:
    how = Augmentation(area=(0.3, 0.5), ratio=(0.8, 1.25))
    chosen = drawn(how)
    images = chosen.apply(torch.arange(COUNT), photos)
    for image, pixels, move in zip(images, photos, chosen.moves, strict=True):
        (width, _, x), (_, height, y) = move.tolist()
        box = [STORED * (1 + part) / 2 for part in (x - width, y - height, x + width, y + height)]
        cut = Image.fromarray(pixels.numpy()).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box)
        difference = (image - torch.from_numpy(np.array(cut)).permute(2, 0, 1)).abs()
        assert difference[:, 1:-1, 1:-1].mean() < 0.5


def test_a_quarter_turn_turns_by_a_quarter(photos: torch.Tensor) -> None:
    chances = torch.full((COUNT, COLUMNS), 0.5)
    chances[:, 6] = 0.0  # the angle: all the way to one side
    turned = plan(Augmentation(degrees=90.0), STORED, chances).apply(torch.arange(COUNT), photos)
    plain = photos.permute(0, 3, 1, 2).float()
    assert min((turned - torch.rot90(plain, k, (2, 3))).abs().max() for k in (1, 3)) < 0.1


def test_rotation_leaves_nothing_empty(photos: torch.Tensor) -> None:
    white = torch.full_like(photos, 255)
    assert applied(Augmentation(degrees=45.0), white, size=STORED).min() > 254.9


def test_colours_are_torchvisions(photos: torch.Tensor) -> None:
    dim = photos // 2 + 60  # far enough from black and white that nothing is clipped on the way
    how = Augmentation(brightness=0.2, contrast=0.3, saturation=0.4)
    chosen = drawn(how, size=STORED)
    images = chosen.apply(torch.arange(COUNT), dim)
    for image, pixels, (brightness, contrast, saturation) in zip(
        images, dim, chosen.colours.tolist(), strict=True
    ):
        expected = pixels.permute(2, 0, 1).float() / 255
        expected = functional.adjust_brightness(expected, brightness)
        expected = functional.adjust_contrast(expected, contrast)
        expected = functional.adjust_saturation(expected, saturation)
        assert (image / 255 - expected).abs().max() < 0.004
    many = drawn(how, count=2000).colours
    limits = torch.tensor([0.2, 0.3, 0.4])
    assert ((many - 1).abs().amax(0) <= limits + 1e-6).all()
    assert ((many - 1).abs().amax(0) > 0.95 * limits).all()


def test_erasing_takes_a_rectangle_from_some(photos: torch.Tensor) -> None:
    how = Augmentation(erasing=0.5)
    chosen = drawn(how, size=STORED)
    images = chosen.apply(torch.arange(COUNT), photos)
    plain = photos.permute(0, 3, 1, 2).float()
    for image, original, (left, top, right, bottom) in zip(
        images, plain, chosen.erased.tolist(), strict=True
    ):
        expected = original.clone()
        expected[:, top:bottom, left:right] = torch.tensor(FILL).view(3, 1, 1)
        assert torch.equal(image, expected)
    boxes = drawn(how, count=2000).erased
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])) / SIZE**2
    assert 0.45 < (areas > 0).float().mean() < 0.55
    assert 0.3 < areas.max() < 0.36
    assert boxes.min() >= 0
    assert boxes.max() <= SIZE
