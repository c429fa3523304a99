"""What to do about classes of different size: weights in the loss, or another choice of images."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from eyebright.training.finetune.losses import balanced_weights
from eyebright.types import FloatArray, IntArray

ClassWeights = Literal["none", "balanced", "effective"]
Sampler = Literal["shuffle", "balanced"]

# Of a class's images each further one tells less; with this they are worth at most 1,000 (Cui et al., 2019).
_NEW_SHARE = 0.999


def class_weights(kind: ClassWeights, truth: IntArray, classes: int) -> Tensor | None:
    """Weights (K,) of the classes in the loss, 1 in the mean over the images; None where all count alike.

    Args:
        kind: ``"balanced"`` lets every class weigh as much as any other, ``"effective"`` goes less far where
            classes are small.
        truth: (N,) class numbers; every class occurs.
        classes: K.
    """
    if kind == "none":
        return None
    counts = np.bincount(truth, minlength=classes)
    if kind == "balanced":
        return balanced_weights(counts.tolist())
    weights = 1 / (1 - _NEW_SHARE**counts)
    return torch.tensor(weights * counts.sum() / (weights * counts).sum(), dtype=torch.float32)


def sample_weights(sampler: Sampler, truth: IntArray) -> FloatArray | None:
    """How often (N,) each image is wanted in an epoch; None where each is wanted once."""
    if sampler == "shuffle":
        return None
    counts = np.bincount(truth)
    weights: FloatArray = (1 / counts[truth]).astype(np.float32)
    return weights
