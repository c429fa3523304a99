"""Whether the mean of the projected features moved: a two-sample test with a linear kernel, in linear time.

For every window from which on the mean might have moved, the images since are compared with all before
them, the reference included. The statistic is Hotelling's, as a Bayes factor between the same mean and one
that lies some standard deviations away. Being invariant, with an unknown mean and spread, it is a martingale
of the images (Perez-Ortiz, Lardy, de Heide and Gruenwald 2024), also with a reference of few images, where
projections are normal. Sums of a few dozen images nearly are. A window is its sums, and sums of products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from eyebright.evaluation.intervals import Float64Array
from eyebright.monitoring.martingale import onset_weights
from eyebright.monitoring.sketch import Sketch
from eyebright.types import FloatArray

# Directions in which the reference varies most; there must be several images for each.
_IMAGES_A_DIRECTION = 4
#: Variances of the shift, in those of the images.
_SHIFTS = np.array([0.01, 0.04, 0.16])
_NOTHING = 1e-12


@dataclass(frozen=True)
class Whitening:
    """Directions of the reference's projections, each scaled to variance 1.

    Attributes:
        mean: (WIDTH,).
        basis: (WIDTH, d).
    """

    mean: Float64Array
    basis: Float64Array

    @classmethod
    def fit(cls, projections: FloatArray) -> Whitening | None:
        """Return the whitening of the reference's projections (m, WIDTH); None of too few images."""
        count = len(projections)
        wanted = min(projections.shape[1], count // _IMAGES_A_DIRECTION)
        if wanted < 1 or not np.isfinite(projections).all():
            return None
        mean = projections.mean(axis=0, dtype=np.float64)
        centred = projections - mean
        moments, vectors = np.linalg.eigh(centred.T @ centred / (count - 1))
        moments, vectors = moments[-wanted:], vectors[:, -wanted:]
        kept = moments > 1e-9 * max(float(moments[-1]), 1e-300)
        return cls(mean, vectors[:, kept] / np.sqrt(moments[kept]))

    def rows(self, projections: FloatArray) -> Float64Array:
        """Return whitened projections (N, d) of projections (N, WIDTH)."""
        return np.asarray((projections - self.mean) @ self.basis)


def log_shift(whitening: Whitening, reference: FloatArray, windows: Sequence[Sketch]) -> Float64Array:
    """Return the logarithm (W,) of the evidence for a moved mean after each window.

    Args:
        whitening: by the reference; it only keeps numbers in a good range.
        reference: (m, WIDTH) projections.
        windows: W windows.
    """
    basis, centre = whitening.basis, whitening.mean
    own = whitening.rows(reference)
    products = own.T @ own
    n, total = np.zeros(1), np.zeros((1, basis.shape[1]))
    weights = onset_weights(len(windows))
    rest = 1.0
    found = np.empty(len(windows))
    for t, window in enumerate(windows):
        moved = window.projection_sums - window.projected * centre
        crossed = np.outer(centre, window.projection_sums)
        about = window.projection_products - crossed - crossed.T + window.projected * np.outer(centre, centre)
        products = products + basis.T @ about @ basis
        n = np.append(n, n[-1] + window.projected)
        total = np.vstack([total, total[-1] + moved @ basis])
        rest -= weights[t]
        known = _factors(n + len(reference), total, products) + np.log(weights[: t + 1])
        found[t] = logsumexp(np.append(known, np.log(max(rest, _NOTHING))))
    return found


def _factors(n: Float64Array, total: Float64Array, products: Float64Array) -> Float64Array:
    """Return the logarithms (T,) of Bayes factors for a mean that moved after each of T moments.

    Args:
        n: (T + 1,) images until each moment and until now, the reference included.
        total: (T + 1, d) sums of theirs, in which the reference is 0.
        products: (d, d) sums of products of all images.
    """
    images, before = n[-1], n[:-1]
    scatter = products - np.outer(total[-1], total[-1]) / images
    gap = (total[-1] - total[:-1]) / np.maximum(images - before, 1)[:, None] - total[:-1] / before[:, None]
    volume = (images - before) * before / images
    explained = volume * np.einsum("td,td->t", gap, np.linalg.solve(scatter, gap.T).T)
    spread = 1 + _SHIFTS[:, None] * volume
    left = np.log1p(-np.clip(explained, 0, 1 - _NOTHING) * (1 - 1 / spread))
    factors = -0.5 * (images - 1) * left - 0.5 * total.shape[1] * np.log(spread)
    return np.asarray(logsumexp(factors, axis=0) - np.log(len(_SHIFTS)))
