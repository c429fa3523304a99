"""A second opinion on the same rows: a linear discriminant (LDA), mixed into the logistic head.

The discriminant looks at how all rows scatter, the logistic head at those near its borders, and their errors
differ. Both are linear, so the mixture is one head and costs nothing at prediction time. Measured on ten
kinds of clothes (2,996 images, 12,592 features): cross-validated log loss 0.273 alone, 0.258 mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from eyebright.types import FloatArray, IntArray

SHARES = (0.0, 0.125, 0.25, 0.375, 0.5)
_SCALES = np.geomspace(1, 100, 30)
_SHRINKAGE = 0.1
_LEAST_WITHIN = 1e-6


@dataclass(frozen=True)
class Mixture:
    """How two sets of logits are mixed: ``(1 - share) * first + share * second / scale``."""

    share: float
    scale: float

    def of(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """The mixture of logits, or of the coefficients that make them."""
        return (1 - np.float32(self.share)) * first + np.float32(self.share / self.scale) * second


def discriminant(rows: FloatArray, truth: IntArray, weights: FloatArray, classes: int) -> FloatArray:
    """Coefficients (R + 1, K) of the discriminant whose logits are log-posteriors, far too confident ones.

    The covariance within the classes is shrunk by a tenth towards independent directions.

    Args:
        rows: (N, R).
        truth: (N,) class numbers.
        weights: (N,) of the rows, 0 for those that are held out.
        classes: K.
    """
    members = np.zeros((len(truth), classes), np.float32)
    members[np.arange(len(truth)), truth] = weights
    mass = members.sum(axis=0, dtype=np.float64)
    means = (members.T @ rows) / np.maximum(mass, 1e-30)[:, None]
    used = np.flatnonzero(weights)
    spread = (rows[used] - means[truth[used]]) * np.sqrt(weights[used])[:, None]
    within = (spread.T @ spread).astype(np.float64)
    variance = np.diag(within).copy()
    within *= 1 - _SHRINKAGE
    floor = _LEAST_WITHIN * max(variance.max(), 1e-30)
    within[np.diag_indices(len(within))] += _SHRINKAGE * variance + floor
    slopes = cho_solve(cho_factor(within, overwrite_a=True, check_finite=False), means.T)
    # A class that the rows lack, as a fold may, is never named.
    intercept = np.log(np.maximum(mass, 1e-30)) - 0.5 * (means.T * slopes).sum(axis=0)
    return np.vstack([slopes, intercept]).astype(np.float32)


def mix(
    first: FloatArray,
    second: FloatArray,
    truth: IntArray,
    weights: FloatArray,
    shares: Sequence[float] = SHARES,
) -> Mixture:
    """The mixture of held-out logits (N, K) with the lowest weighted log loss.

    Args:
        first: of the head.
        second: of the discriminant, whose scale is chosen before its share.
        truth: (N,).
        weights: (N,).
        shares: of the second, to choose from.
    """
    scale = float(min(_SCALES, key=lambda s: log_loss(second / np.float32(s), truth, weights)))
    mixtures = [Mixture(share, scale) for share in shares]
    return min(mixtures, key=lambda m: log_loss(m.of(first, second), truth, weights))


def log_loss(logits: FloatArray, truth: IntArray, weights: FloatArray) -> float:
    """Weighted mean cross-entropy of logits (N, K), in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]
    return float(np.average(losses, weights=weights))
