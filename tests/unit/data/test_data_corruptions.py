"""Corruptions keep the shape, grow with their strength, and what is hidden tells nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eyebright.data.corruptions import BORDER, STRENGTHS, corrupt, only


@pytest.fixture(scope="module")
def cat(photographs: dict[str, Image.Image]) -> np.ndarray:
    return np.asarray(photographs["cat"].resize((150, 100)))


def changed(pixels: np.ndarray, kind: str, strength: float, seed: int = 0) -> np.ndarray:
    return corrupt(pixels, kind, strength, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", STRENGTHS)
def test_a_stronger_corruption_changes_more(cat: np.ndarray, kind: str) -> None:
    images = [changed(cat, kind, strength) for strength in STRENGTHS[kind]]
    assert [(image.shape, image.dtype) for image in images] == [(cat.shape, np.dtype(np.uint8))] * 5
    if kind != "rotation":  # a cat that lies is no further from one that stands than one that leans
        distance = [np.abs(image.astype(float) - cat).mean() for image in images]
        assert distance == sorted(distance)
    assert all((image != cat).mean() > 0.03 for image in images)


@pytest.mark.parametrize("kind", STRENGTHS)
def test_it_is_drawn_from_the_seed(cat: np.ndarray, kind: str) -> None:
    strength = STRENGTHS[kind][2]
    assert np.array_equal(changed(cat, kind, strength), changed(cat, kind, strength))
    if kind in ("noise", "occlusion"):
        assert not np.array_equal(changed(cat, kind, strength), changed(cat, kind, strength, seed=1))


def test_each_does_what_its_strength_says(cat: np.ndarray) -> None:
    grey = np.full((100, 120, 3), 128, np.uint8)
    assert (changed(grey, "noise", 0.08) / 255).std() == pytest.approx(0.08, rel=0.03)
    assert changed(grey, "darker", 0.4).mean() == pytest.approx(51, abs=0.5)
    assert changed(cat, "brighter", 5).max() == 255
    turned = np.asarray(Image.fromarray(cat[:, :100]).rotate(90))
    assert any(
        np.array_equal(changed(cat[:, :100], "rotation", 90), image)
        for image in (turned, np.rot90(turned, 2))
    )
    for share in STRENGTHS["occlusion"]:
        covered = changed(cat, "occlusion", share)
        assert (covered != cat).any(axis=2).mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 50, 3)])
@pytest.mark.parametrize("kind", STRENGTHS)
def test_tiny_and_narrow_images_are_borne(kind: str, shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert changed(pixels, kind, STRENGTHS[kind][4]).shape == shape
    assert only(pixels, "border").shape == only(pixels, "centre").shape == shape


def test_border_and_centre_are_each_others_rest(cat: np.ndarray) -> None:
    border, centre = only(cat, "border"), only(cat, "centre")
    height, width = cat.shape[:2]
    top, left = round(BORDER * height), round(BORDER * width)
    assert np.array_equal(centre[top:-top, left:-left], cat[top:-top, left:-left])
    assert len(np.unique(border[top:-top, left:-left].reshape(-1, 3), axis=0)) == 1
    inside = np.zeros((height, width), bool)
    inside[top:-top, left:-left] = True
    assert np.array_equal(border[~inside], cat[~inside])
    assert border[height // 2, width // 2] == pytest.approx(cat[~inside].mean(axis=0), abs=0.5)
    assert len(np.unique(centre[~inside], axis=0)) == 1


def test_what_is_hidden_leaves_no_trace(cat: np.ndarray) -> None:
    other = cat.copy()
    other[15:-15, 20:-20] = 255 - other[15:-15, 20:-20]
    assert np.array_equal(only(cat, "border"), only(other, "border"))
