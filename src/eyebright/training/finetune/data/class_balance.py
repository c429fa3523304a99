"""What to do about classes of different size: weights in the loss, or another choice of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from eyebright.types import FloatArray, IntArray

ClassWeights = Literal["none", "balanced"]
Sampler = Literal["shuffle", "balanced"]


def class_weights(kind: ClassWeights, truth: IntArray, classes: int) -> Tensor | None:
    """Return weights (K,) of the classes in the loss, 1 in the mean over the images; None for equal ones.

    Args:
        kind: ``"balanced"`` lets every class weigh as much as any other.
        truth: (N,) class numbers.
        classes: K.
    """
    if kind == "none":
        return None
    return balanced_weights(np.bincount(truth, minlength=classes).tolist())


def sample_weights(sampler: Sampler, truth: IntArray) -> FloatArray | None:
    """Return how often (N,) each image is drawn in an epoch; None where each is drawn once."""
    if sampler == "shuffle":
        return None
    counts = np.bincount(truth)
    weights: FloatArray = (1 / counts[truth]).astype(np.float32)
    return weights


def balanced_weights(counts: Sequence[int]) -> Tensor:
    """Return weights (K,) with which every class weighs as much as any other, and an image 1 in the mean.

    Args:
        counts: images of each class; a class without any weighs nothing.
    """
    images = torch.tensor(counts, dtype=torch.float32)
    shown = images > 0
    return torch.where(shown, images.sum() / (shown.sum() * images.clamp(min=1)), 0.0)
