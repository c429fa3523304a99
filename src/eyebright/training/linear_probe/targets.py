"""What the head is to learn: the one label of each image, or which of several labels it has.

Truth is (N,) class numbers in the first case and a table (N, K) of 0 and 1 in the second. Whoever is handed
truth tells them apart by that, here and in nothing else below the stages but evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from eyebright.data.manifest import Manifest, Sample
from eyebright.training.linear_probe.folds import class_numbers
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.logistic import BoolArray
from eyebright.training.linear_probe.multilabel import binary_losses, fit_labels
from eyebright.types import FloatArray, IntArray


def truth_of(samples: Sequence[Sample], manifest: Manifest) -> IntArray:
    """(N,) class numbers of samples of a manifest, or (N, K) where they may have several labels."""
    if manifest.several is None:
        return class_numbers(samples, manifest.labels)
    return label_table(samples, manifest.labels)


def label_table(samples: Sequence[Sample], labels: Sequence[str]) -> IntArray:
    """(N, K), 1 where a sample has a label, else 0."""
    number = {label: i for i, label in enumerate(labels)}
    table = np.zeros((len(samples), len(labels)), np.int64)
    for row, sample in zip(table, samples, strict=True):
        row[[number[label] for label in sample.labels]] = 1
    return table


def strata_of(truth: IntArray) -> IntArray:
    """(N,) numbers of what folds should hold in proportion: the class, or the rarest label, K for none."""
    if truth.ndim == 1:
        return truth
    order = np.argsort(truth.sum(axis=0), kind="stable")
    rarest = order[truth[:, order].argmax(axis=1)]
    return np.asarray(np.where(truth.any(axis=1), rarest, truth.shape[1]), np.int64)


def fit(
    features: npt.NDArray[np.floating],
    truth: IntArray,
    classes: int,
    *,
    groups: IntArray,
    scored: BoolArray,
    seed: int,
    on_strength: Callable[[], None] | None = None,
) -> HeadFit:
    """The head for features (N, D); see :func:`fit_head` and :func:`fit_labels`."""
    if truth.ndim == 1:
        return fit_head(
            features, truth, classes, groups=groups, scored=scored, seed=seed, on_strength=on_strength
        )
    strata = strata_of(truth)
    return fit_labels(
        features, truth, strata, groups=groups, scored=scored, seed=seed, on_strength=on_strength
    )


def image_losses(logits: FloatArray, truth: IntArray) -> FloatArray:
    """Log loss (N,) of each image in nats; where there are several labels the mean over them."""
    if truth.ndim == 2:
        return np.asarray(binary_losses(logits, truth).mean(axis=1), np.float32)
    shifted = logits - logits.max(axis=1, keepdims=True)
    loss: FloatArray = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]
    return loss


def named_right(logits: FloatArray, truth: IntArray) -> BoolArray:
    """(N,) whether each image is named right: by its class, or by just the labels that it has."""
    if truth.ndim == 2:
        return np.asarray(((logits > 0) == (truth > 0)).all(axis=1))
    return np.asarray(logits.argmax(axis=1) == truth)
