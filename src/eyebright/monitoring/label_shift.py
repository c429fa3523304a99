"""How frequent the classes are now, from calibrated probabilities: expectation maximisation.

Saerens, Latinne and Decaestecker (2002). It assumes that images of each class look as before, and that only
how many there are of each changed. Where images themselves changed, what it finds is not the frequencies.
"""

from __future__ import annotations

import numpy as np

from eyebright.evaluation.intervals import Float64Array
from eyebright.types import FloatArray

_ROUNDS, _CLOSE = 1000, 1e-7
# So many images the old frequencies count for, so that few new ones change little.
_PRIOR_IMAGES = 20.0


def class_frequencies(probabilities: FloatArray, before: Float64Array) -> Float64Array:
    """Return how frequent each of K classes is among images.

    Args:
        probabilities: (N, K), calibrated where classes are as frequent as ``before``.
        before: (K,) frequencies in the reference.

    Returns:
        (K,), the sum is 1.
    """
    wide = probabilities.astype(np.float64)
    now = before
    for _ in range(_ROUNDS):
        expected = reweighted(wide, before, now).sum(axis=0) + _PRIOR_IMAGES * before
        following = np.asarray(expected / expected.sum())
        if np.abs(following - now).max() < _CLOSE:
            return following
        now = following
    return now


def reweighted(probabilities: Float64Array, before: Float64Array, now: Float64Array) -> Float64Array:
    """Return probabilities (N, K) as they would be calibrated where classes are as frequent as ``now``."""
    weighted = probabilities * (now / np.maximum(before, 1e-12))
    return np.asarray(weighted / np.maximum(weighted.sum(axis=1, keepdims=True), 1e-300))
