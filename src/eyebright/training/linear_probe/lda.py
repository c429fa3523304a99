"""A second opinion on the same rows: a linear discriminant (LDA), mixed into the logistic head.

The discriminant looks at how all rows scatter, the logistic head at those near its borders, and their errors
differ. Both are linear, so the mixture is one head and costs nothing at prediction time. Cross-validated log
loss alone and mixed: 0.281 and 0.247 on ten kinds of clothes, 0.228 and 0.210 on rubbish (both 12,592
features), 0.114 and 0.109 on textile (480).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from eyebright.types import FloatArray, IntArray

Float64Array: TypeAlias = npt.NDArray[np.float64]

SHARES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625)
#: What logits of a discriminant may be divided by.
SCALES: tuple[float, ...] = tuple(np.geomspace(1, 100, 30).tolist())
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
    return _solved(within, total, means, mass)


def soft_discriminant(rows: FloatArray, members: FloatArray, frequencies: Float64Array) -> FloatArray:
    """Return coefficients (R + 1, K) of the discriminant of rows whose classes are known in part.

    Args:
        rows: (N, R).
        members: (N, K) shares of each row in the classes, all 0 for rows that are left out.
        frequencies: (K,) of the classes, which the shares do not tell: they would make what is frequent more
            frequent, and what is rare vanish.
    """
    members = members / np.float32(members.sum(dtype=np.float64))
    weights = members.sum(axis=1)
    mass = members.sum(axis=0, dtype=np.float64)
    means = (members.T @ rows) / np.maximum(mass, 1e-30)[:, None]
    # What lies within the classes is the scatter around 0 less that of their means.
    weighted = rows * np.sqrt(weights)[:, None]
    within = (weighted.T @ weighted).astype(np.float64) - (means.T * mass) @ means
    return _solved(within, float(np.square(weighted).sum(dtype=np.float64)), means, frequencies)


def _solved(within: Float64Array, total: float, means: FloatArray, frequencies: Float64Array) -> FloatArray:
    """Return the discriminant's coefficients (R + 1, K).

    Args:
        within: (R, R) scatter within the classes, of rows whose weights sum to 1; is changed.
        total: mean square length of the rows.
        means: (K, R) of the classes.
        frequencies: (K,) of the classes.
    """
    even = max(float(np.trace(within)), _LEAST_SCATTER * total, 1e-30) / len(within)
    within *= 1 - _SHRINKAGE
    within[np.diag_indices(len(within))] += _SHRINKAGE * even
    slopes = cho_solve(cho_factor(within, overwrite_a=True, check_finite=False), means.T)
    # A class that the rows lack, as a fold may, is never predicted.
    intercept = np.log(np.maximum(frequencies, 1e-30)) - 0.5 * (means.T * slopes).sum(axis=0)
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
    scale = float(min(SCALES, key=lambda s: log_loss(second / np.float32(s), truth, weights)))
    mixtures = [Mixture(share, scale) for share in shares]
    return min(mixtures, key=lambda m: log_loss(m.of(first, second), truth, weights))


def log_loss(logits: FloatArray, truth: IntArray, weights: FloatArray) -> float:
    """Return the weighted mean cross-entropy of logits (N, K), in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]
    return float(np.average(losses, weights=weights))
