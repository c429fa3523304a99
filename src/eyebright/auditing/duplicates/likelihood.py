"""How likely a match is a copy: by what planted copies score, and by how many of the images' own pairs do.

Scores are looked at as Fisher's z. Of the images' own pairs, those that only look alike fall off evenly with
their score; so many pairs of middling scores promise some of high ones. Copies score as the planted ones do,
or as what is taken a moment later; how many there are makes the high scores most likely (EM). With few pairs,
what other photographs showed counts besides: two lids among a hundred images are then no copies for want of
other lids.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eyebright.evaluation.intervals import Float64Array
from eyebright.types import FloatArray

#: From this probability on a pair is called copies: it is then more likely so than not. Less will do where of
#: all pairs called copies this share is expected to be so.
CALLED_COPIES, PRECISION = 0.5, 0.98
_LEAST, _MOST = 0.5, 0.999  # scores: below nothing is a copy, above all are alike
_ALIKE_BELOW, _TAIL = 0.88, 300  # the fall is that of so many pairs, the highest ones below this score
# What was seen of photographs of rubbish, the hardest of the sets: how fast pairs that only look alike fall
# off; and as if so many such pairs had been seen.
_FALL, _FALL_WEIGHT, _SEEN = 4.0, 30.0, 0.5
_COPIES = (1.6, 0.4)  # as if so many copies had been seen, as planted ones and rougher ones
_BANDWIDTH = 0.2
_ROUGH = 0.9  # what is taken a moment later scores anything from here on
_ROUNDS = 60
_GRID = np.linspace(np.arctanh(_LEAST), np.arctanh(_MOST), 400)


@dataclass(frozen=True)
class CopyLikelihood:
    """The mixture of copies and of pairs that only look alike.

    Attributes:
        planted: (G,) density of planted copies over a grid of z.
        start: the z from which on pairs that only look alike are counted.
        alike: expected number of these.
        fall: how fast they fall off.
        copies: expected numbers of copies among the pairs, that score as planted ones and otherwise.
    """

    planted: Float64Array
    start: float
    alike: float
    fall: float
    copies: tuple[float, float]

    def probability(self, scores: FloatArray) -> Float64Array:
        """Return (P,) the probability that pairs are copies, which never falls with the score."""
        grid = np.linspace(_LEAST, _MOST, 500)
        rising = np.minimum.accumulate(self._at(_z(grid))[::-1])[::-1]
        found = np.interp(scores, grid, rising)
        return np.asarray(np.where(np.asarray(scores) < _LEAST, 0.0, found))

    def least_score(self, scores: FloatArray) -> float:
        """Return the score from which on pairs are called copies, where all pairs score ``scores`` (P,)."""
        grid = np.linspace(_LEAST, _MOST, 500)
        called = self.probability(grid.astype(np.float32)) >= CALLED_COPIES
        least = float(grid[called.argmax()]) if called.any() else 1.0
        falling = -np.sort(-scores[scores >= _LEAST])
        right = np.cumsum(self.probability(falling)) / np.arange(1, len(falling) + 1)
        precise = np.flatnonzero(right >= PRECISION)
        return min(least, float(falling[precise[-1]])) if precise.size else least

    def _at(self, z: Float64Array) -> Float64Array:
        copies = self._copies_at(z).sum(axis=1)
        alike = self.alike * self.fall * np.exp(-self.fall * (z - self.start))
        return np.asarray(copies / (copies + alike))

    def _copies_at(self, z: Float64Array) -> Float64Array:
        """Return (P, 2) the density of copies at z: as planted ones score, smoothed, and evenly."""
        smooth = np.interp(z, _GRID, self.planted)
        low, high = _z(np.array((_ROUGH, _MOST)))
        even = (z >= low) / (high - low)
        return np.stack([smooth, even], axis=1) * self.copies


def fit_likelihood(scores: FloatArray, planted: FloatArray) -> CopyLikelihood:
    """Return the mixture under which the scores at hand are most likely.

    Args:
        scores: (P,) of all pairs of images that were compared.
        planted: (M,) of planted copies with their images.
    """
    seen, own = _z(planted[planted >= _LEAST]), _z(scores[scores >= _LEAST])
    low, high = _z(np.array((_LEAST, _ALIKE_BELOW)))
    tail = np.sort(own[own < high])[-_TAIL:]
    start = float(tail[0]) if len(tail) == _TAIL else float(low)
    fall = _fall(tail - start, float(high) - start)
    alike = (len(tail) + _SEEN) / -np.expm1(-fall * (high - start))
    above = own[own >= high]
    off = (_GRID[:, None] - seen) / _BANDWIDTH
    smooth = np.exp(-0.5 * off * off).sum(axis=1) / (max(len(seen), 1) * _BANDWIDTH * np.sqrt(2 * np.pi))
    likely = CopyLikelihood(smooth, start, float(alike), fall, _COPIES)
    for _ in range(_ROUNDS):
        parts = likely._copies_at(above)
        of_copies = likely._at(above) / np.maximum(parts.sum(axis=1), 1e-300)
        first, second = of_copies @ parts + _COPIES
        likely = replace(likely, copies=(float(first), float(second)))
    return likely


def _fall(excess: Float64Array, most: float) -> float:
    """Return the rate under which excesses (n,), all below ``most``, are most likely."""
    count, total = len(excess) + _FALL_WEIGHT, float(excess.sum()) + _FALL_WEIGHT / _FALL

    def loss(rate: float) -> float:
        return float(rate * total - count * np.log(rate) + len(excess) * np.log(-np.expm1(-rate * most)))

    # A tenth of all that a training imports, and most never come here.
    from scipy.optimize import (
        minimize_scalar,
    )  # takes a tenth of all imports of a training, which rarely needs it

    return float(minimize_scalar(loss, bounds=(0.1, 100.0), method="bounded").x)


def _z(scores: FloatArray | Float64Array) -> Float64Array:
    return np.asarray(np.arctanh(np.minimum(np.asarray(scores, np.float64), _MOST)))
