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


def class_weights(
    kind: ClassWeights, truth: IntArray, classes: int, weights: FloatArray | None = None
) -> Tensor | None:
    """Return weights (K,) of the classes in the loss, 1 in the mean over the images; None for equal ones.

    Args:
        kind: ``"balanced"`` lets every class weigh as much as any other.
        truth: (N,) class numbers.
        classes: K.
        weights: (N,) of the images, by which they count for their class; None counts each once.
    """
    if kind == "none":
        return None
    return balanced_weights(np.bincount(truth, weights, minlength=classes).tolist())


def sample_weights(sampler: Sampler, truth: IntArray, weights: FloatArray | None = None) -> FloatArray | None:
    """Return how often (N,) each image is drawn in an epoch; None where each is drawn once.

    Args:
        sampler: ``"balanced"`` lets every class weigh as much as any other.
        truth: (N,) class numbers.
        weights: (N,) of the images in the loss; None where all weigh alike.
    """
    if sampler == "shuffle":
        return None
    counts = np.bincount(truth, weights)
    often: FloatArray = (1 / counts[truth]).astype(np.float32)
    return often


def balanced_weights(counts: Sequence[float]) -> Tensor:
    """Return weights (K,) with which every class weighs as much as any other, and an image 1 in the mean.

    Args:
        counts: images of each class, or their weight; a class without any weighs nothing.
    """
    images = torch.tensor(counts, dtype=torch.float32)
    shown = images > 0
    return torch.where(shown, images.sum() / (shown.sum() * torch.where(shown, images, 1.0)), 0.0)
