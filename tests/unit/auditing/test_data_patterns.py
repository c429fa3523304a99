"""Watermarks and classes that are two: planted ones are found, plain photographs and digits have none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from eyebright.auditing.classes.split_classes import split_classes
from eyebright.auditing.classes.watermarks import find_watermarks
from eyebright.auditing.records import Records, record
from eyebright.training.linear_probe.pca import standardise

TILES, MARKED = 80, 24


@pytest.fixture(scope="module")
def tiles(scenes: list[Image.Image]) -> list[Image.Image]:
    """Different pieces of two photographs."""
    random = np.random.default_rng(0)
    found = []
    for number in range(TILES):
        scene = scenes[number % 2]
        x, y = (int(random.integers(0, side - 128)) for side in scene.size)
        found.append(scene.crop((x, y, x + 128, y + 128)))
    return found


def records(pictures: list[Image.Image]) -> Records:
    return np.stack([record(picture) for picture in pictures])


def marked(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    draw = ImageDraw.Draw(copy)
    draw.rectangle((84, 100, 120, 120), fill="white")
    draw.ellipse((88, 103, 98, 117), fill="black")
    draw.polygon([(104, 117), (110, 103), (116, 117)], fill="black")
    return copy


def test_a_mark_in_the_corner_is_found_with_the_images_that_have_it(tiles: list[Image.Image]):
    pictures = [marked(tile) if number < MARKED else tile for number, tile in enumerate(tiles)]
    (mark,) = find_watermarks(records(pictures).__getitem__, np.arange(TILES), 0)
    top, bottom, left, right = mark.box
    assert top >= 0.6
    assert left >= 0.5
    assert (bottom, right) == (1, 1)
    assert mark.having[:MARKED].mean() > 0.8
    assert mark.having[MARKED:].sum() == 0


def test_pieces_of_photographs_have_no_mark(tiles: list[Image.Image]):
    assert find_watermarks(records(tiles).__getitem__, np.arange(TILES), 0) == []


def test_images_of_one_group_count_once(tiles: list[Image.Image]):
    pictures = [marked(tile) if number < MARKED else tile for number, tile in enumerate(tiles)]
    groups = np.maximum(np.arange(TILES), MARKED)  # all that are marked show one product
    assert find_watermarks(records(pictures).__getitem__, groups, 0) == []


def test_two_digits_under_one_name_are_two_and_one_digit_is_one():
    pixels, digit = load_digits(return_X_y=True)
    rows, _, _ = standardise(pixels)
    alone = np.arange(len(digit))
    found = split_classes(rows, np.where(digit == 6, 0, digit).astype(np.int64), alone, 0)
    # Ones are written in two ways, with a stroke below and without.
    assert {one.label for one in found} == {0, 1}
    two = next(one for one in found if one.label == 0)
    assert abs(two.sizes[0] - (digit == 0).sum()) < 12
    assert set(digit[two.shown]) == {0, 6}
    assert [one.label for one in split_classes(rows, digit.astype(np.int64), alone, 0)] == [1]
