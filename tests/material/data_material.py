"""The textile photographs as pixels of 64 px and less, for the tests of what networks are fed with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from eyebright.data.folder import scan
from eyebright.data.manifest import Sample
from eyebright.training.finetune.data.augment import Augmentation
from eyebright.training.finetune.data.mixup import Mixing
from eyebright.training.finetune.data.pixel_data import LabelledPixels, PixelData
from eyebright.training.finetune.data.pixels import Pixels, open_pixels
from eyebright.types import IntArray, Split

SIZE = 56
CPU = torch.device("cpu")


def samples_of(root: Path, split: Split, count: int) -> list[Sample]:
    """Some images of a part, of all classes."""
    every = sorted(scan(root).of(split), key=lambda sample: sample.path)
    return [every[n] for n in np.linspace(0, len(every) - 1, count).astype(int)]


def pixels_of(root: Path, samples: list[Sample], size: int, cache: Path | None) -> Pixels:
    pixels, skipped = open_pixels(root, samples, size, "bicubic", cache)
    assert skipped == []
    return pixels


def truth_of(samples: list[Sample]) -> tuple[IntArray, int]:
    labels = sorted({s.label for s in samples})
    return np.array([labels.index(s.label) for s in samples], np.int64), len(labels)


def pixel_data(
    root: Path, cache: Path, how: Augmentation, mixing: Mixing | None = None, size: int | None = None
) -> PixelData:
    """12 training images and 7 held-out ones."""
    train, val = samples_of(root, "train", 12), samples_of(root, "val", 7)
    (truth, classes), (holdout_truth, _) = truth_of(train), truth_of(val)
    return PixelData(
        train=LabelledPixels(pixels_of(root, train, how.stored_size(size or SIZE, SIZE), cache), truth),
        holdout=LabelledPixels(pixels_of(root, val, SIZE, cache), holdout_truth),
        classes=classes,
        augmentation=how,
        mixing=mixing or Mixing(),
        size=size,
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
