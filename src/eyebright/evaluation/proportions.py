"""Shares and means over images, with 95 % intervals that know which images are not independent.

Images of one group (a patient, a lot, copies of one image) say less than as many images of different groups.
Where there are groups, they are drawn by the bootstrap, and analytic intervals count groups, not images.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, gammaln

from eyebright.evaluation.intervals import (
    LEVEL,
    bootstrap_means,
    hull,
    pair,
    percentiles,
    share_of,
    wilson,
)
from eyebright.types import BoolArray, IntArray, Interval


def independent(count: int, groups: IntArray | None) -> int:
    """Return how many of ``count`` images are independent: their groups, numbered by ``groups`` (N,)."""
    return count if groups is None else len(np.unique(groups))


def proportion(
    hit: BoolArray, groups: IntArray | None = None, *, seed: int = 0, resamples: int = 1000
) -> Interval:
    """Return the share of hits (N,) with its 95 % interval; 0 in [0, 1] of no image.

    Args:
        hit: whether each image counts as a hit.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
        seed: of the bootstrap over groups.
        resamples: how many.
    """
    n, hits = len(hit), int(hit.sum())
    count = independent(n, groups)
    if groups is None or count == n:
        return share_of(hits, n)
    share = count / n
    drawn = bootstrap_means(hit[:, None].astype(np.float64), groups, seed, resamples)[:, 0]
    return hull(hits / n, pair(wilson(share * hits, share * n)), pair(percentiles(drawn)))


def least(hit: BoolArray, groups: IntArray | None = None, *, seed: int = 0, resamples: int = 1000) -> float:
    """Return the share (N,) that is exceeded with 95 % confidence: Clopper and Pearson's one-sided limit.

    Of groups it is the lower of that for as many independent images and the bootstrap's fifth percentile.
    """
    n, hits = len(hit), int(hit.sum())
    count = independent(n, groups)
    if groups is None or count == n:
        return exact_least(hits, n)
    drawn = bootstrap_means(hit[:, None].astype(np.float64), groups, seed, resamples)[:, 0]
    share = count / n
    return min(exact_least(share * hits, share * n), float(np.quantile(drawn, 1 - LEVEL)))


def at_most(hits: int, drawn: int, all_hits: int, total: int) -> float:
    """Return the chance of at most ``hits`` among ``drawn`` of ``total`` images that hold ``all_hits``.

    It is the hypergeometric distribution of `scipy.stats`, whose import alone takes half a second.
    """
    found = np.arange(max(0, drawn + all_hits - total), hits + 1)
    logs = _log_choose(all_hits, found) + _log_choose(total - all_hits, drawn - found)
    return min(1.0, float(np.exp(logs - _log_choose(total, drawn)).sum()))


def _log_choose(total: int, taken: npt.NDArray[np.integer] | int) -> npt.NDArray[np.float64]:
    return np.asarray(gammaln(total + 1) - gammaln(taken + 1) - gammaln(total - np.asarray(taken) + 1))


def exact_least(hits: float, count: float) -> float:
    """Return Clopper and Pearson's lower 95 % limit of a share; 0 without a hit.

    Counts may be fractions, as of images that count for less than one.
    """
    return float(betaincinv(hits, count - hits + 1, 1 - LEVEL)) if hits > 0 else 0.0
