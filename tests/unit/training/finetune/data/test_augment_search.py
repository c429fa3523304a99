"""Augmentation is as strong as the network can bear, and no stronger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from data_material import SIZE, pixels_of, samples_of
from torch import nn

from eyebright.training.finetune.data.augment import PRESETS, AugmentName
from eyebright.training.finetune.data.augment_search import (
    LADDER,
    accuracy_under,
    choose_augmentation,
)
from eyebright.training.finetune.data.pixels import Pixels
from eyebright.types import IntArray


class Sided(nn.Module):
    """Says on which side an image is brighter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        middle = pixels.shape[-1] // 2
        halves = [pixels[..., :middle].mean((1, 2, 3)), pixels[..., middle:].mean((1, 2, 3))]
        return self.scale * torch.stack(halves, dim=1)


class Lit:
    """Photographs that grow brighter to one side."""

    def __init__(self, pixels: Pixels, truth: IntArray) -> None:
        self.samples, self.size = pixels.samples, pixels.size
        self._pixels, self._truth = pixels, truth

    def rows(self, places: IntArray) -> np.ndarray:
        light = np.linspace(1.0, 0.3, self.size)
        lights = np.where(self._truth[places][:, None], light[::-1], light)
        return (self._pixels.rows(places) * lights[:, None, :, None]).astype(np.uint8)


@pytest.fixture
def accuracy(textile: Path, feature_cache: Path):
    truth = np.arange(40, dtype=np.int64) % 2
    samples = samples_of(textile, "train", 40)

    def of(name: AugmentName) -> float:
        pixels = pixels_of(textile, samples, PRESETS[name].stored_size(SIZE), feature_cache)
        return accuracy_under(name, Sided(), Lit(pixels, truth), truth, SIZE, seed=0)

    return of


def test_what_must_not_be_mirrored_is_not(accuracy) -> None:
    chosen, trials = choose_augmentation(accuracy, 0.5)
    assert [trial.name for trial in trials] == ["none", "standard", "upright"]
    plain, standard, upright = (trial.accuracy for trial in trials)
    assert plain == 1
    assert 0.2 < standard < 0.8  # every other image is mirrored
    assert upright > 0.9
    assert chosen == "upright"


def test_without_any_that_it_bears_images_stay_as_they_are() -> None:
    chosen, trials = choose_augmentation(lambda name: 0.9 if name == "none" else 0.5, 1 / 3)
    assert chosen == "none"
    assert [trial.name for trial in trials] == ["none", *LADDER[:-1]]


def test_who_knows_nothing_can_lose_nothing() -> None:
    assert choose_augmentation(lambda name: 0.3, 1 / 3)[0] == "standard"
