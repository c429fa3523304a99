"""A second opinion on the same rows: a linear discriminant (LDA), mixed into the logistic head.

The discriminant looks at how all rows scatter, the logistic head at those near its borders, and their errors
differ. Both are linear, so the mixture is one head and costs nothing at prediction time. Cross-validated log
loss alone and mixed: 0.281 and 0.247 on ten kinds of clothes, 0.228 and 0.210 on rubbish (both 12,592
features), 0.114 and 0.109 on textile (480).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from eyebright.types import FloatArray, IntArray

SHARES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625)
_SCALES = np.geomspace(1, 100, 30)
# Towards equal variance in all directions. Less would trust directions that hardly vary, in which the
# rounding of a pixel is as large as a class's difference.
_SHRINKAGE = 0.23
# Of the whole scatter: classes of one row, or of copies, have none within, and would be believed blindly.
_LEAST_SCATTER = 0.01


@dataclass(frozen=True)
class Mixture:
    """How two sets of logits are mixed: ``(1 - share) * first + share * second / scale``."""

    share: float
    scale: float

    def of(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return the mixture of logits, or of the coefficients that make them."""
        return (1 - np.float32(self.share)) * first + np.float32(self.share / self.scale) * second


def discriminant(rows: FloatArray, truth: IntArray, weights: FloatArray, classes: int) -> FloatArray:
    """Return coefficients (R + 1, K) of the discriminant; its logits are far too confident log-posteriors.

    The covariance within the classes is shrunk towards a multiple of the identity.

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
    total = float(np.average(np.square(rows[used]).sum(axis=1), weights=weights[used]))
    even = max(float(np.trace(within)), _LEAST_SCATTER * total, 1e-30) / len(within)
    within *= 1 - _SHRINKAGE
    within[np.diag_indices(len(within))] += _SHRINKAGE * even
    slopes = cho_solve(cho_factor(within, overwrite_a=True, check_finite=False), means.T)
    # A class that the rows lack, as a fold may, is never predicted.
    intercept = np.log(np.maximum(mass, 1e-30)) - 0.5 * (means.T * slopes).sum(axis=0)
    return np.vstack([slopes, intercept]).astype(np.float32)


def mix(
    first: FloatArray,
    second: FloatArray,
    truth: IntArray,
    weights: FloatArray,
    shares: Sequence[float] = SHARES,
) -> Mixture:
    """Return the mixture of held-out logits (N, K) with the lowest weighted log loss.

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
    """Return the weighted mean cross-entropy of logits (N, K), in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]
    return float(np.average(losses, weights=weights))
