"""95 % intervals that stay honest when nothing, or everything, went wrong.

A percentile bootstrap of "all 20 right" says [1, 1], for no resample holds an error. So every bootstrap
interval here is widened to hold an analytic one that knows the number of images:

* a proportion: Wilson's score interval (Wilson 1927; Brown, Cai and DasGupta 2001 advise it for small n);
* F1 = 2J / (1 + J), where J = hits / (hits + misses + false alarms) is a proportion: Wilson's interval of J,
  carried over (Lam, Gopal and Qian 2023, arXiv 2309.14621, the "Wilson indirect" method);
* a weighted mean of such figures: MOVER, the method of variance estimates recovery (Zou and Donner 2008);
* a mean of unbounded values: Student's t, for a bootstrap of few values is too narrow (Hesterberg 2015);
* the area under a ROC curve: the score interval with Hanley and McNeil's variance (Newcombe 2006).

Where images come in groups that are not independent, such as copies of one image, groups are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import expit, logit, stdtrit

from eyebright.runtime.machine import release_memory
from eyebright.types import IntArray, Interval

Float64Array: TypeAlias = npt.NDArray[np.float64]
Limits: TypeAlias = "tuple[Float64Array, Float64Array]"

LEVEL = 0.95
_Z = 1.959963984540054
_DRAWN_AT_ONCE = 2_000_000


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike) -> Limits:
    """Return Wilson's 95 % score interval of proportions; [0, 1] where there was no trial.

    Args:
        successes: counts of any shape.
        trials: counts, at least ``successes``, of a shape that broadcasts with it.

    Returns:
        lower and upper limits.
    """
    hits, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    p = hits / np.maximum(n, 1)
    centre = (p + _Z**2 / (2 * np.maximum(n, 1))) / (1 + _Z**2 / np.maximum(n, 1))
    half = _Z / (n + _Z**2) * np.sqrt(n * p * (1 - p) + _Z**2 / 4)
    # Rounding must not leave a limit a hair inside an observed 0 or 1.
    low = np.where((n == 0) | (hits == 0), 0.0, centre - half)
    high = np.where((n == 0) | (hits == n), 1.0, centre + half)
    return low, high


def share_of(hits: int, count: int) -> Interval:
    """Return the share that ``hits`` are of ``count``, with Wilson's interval; 0 in [0, 1] of nothing."""
    low, high = wilson(hits, count)
    return Interval(hits / max(count, 1), float(low), float(high))


def wilson_f1(hits: npt.ArrayLike, predicted: npt.ArrayLike, support: npt.ArrayLike) -> Limits:
    """Return 95 % limits of F1, from Wilson's limits of hits among true and predicted images."""
    hits = np.asarray(hits, np.float64)
    low, high = wilson(hits, np.asarray(predicted) + np.asarray(support) - hits)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mover(values: Float64Array, limits: Limits, weights: Float64Array) -> tuple[float, float]:
    """Return 95 % limits of ``weights @ values`` from the limits of each value (K,), taken as independent."""
    mean = float(weights @ values)
    below = float(np.sqrt(np.sum((weights * (values - limits[0])) ** 2)))
    above = float(np.sqrt(np.sum((weights * (limits[1] - values)) ** 2)))
    return mean - below, mean + above


def standard_error(values: Float64Array, groups: IntArray | None = None) -> tuple[float, int]:
    """Return the standard error of the mean of values (N,), N >= 2, and how many of them are independent."""
    off = values - values.mean()
    sums = off if groups is None else np.bincount(np.unique(groups, return_inverse=True)[1], off)
    count = len(sums)
    if count < 2:
        return float("inf"), count
    return float(np.sqrt(count / (count - 1) * np.sum(sums**2))) / len(values), count


def student(values: Float64Array, groups: IntArray | None = None) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean of values (N,); infinite where one is independent."""
    error, count = standard_error(values, groups)
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * error if count > 1 else float("inf")
    mean = float(values.mean())
    return mean - half, mean + half


def score_limits(areas: Float64Array, positives: Float64Array, negatives: Float64Array) -> Limits:
    """Return 95 % limits (K,) of areas under ROC curves that Hanley and McNeil's variance does not exclude.

    Args:
        areas: (K,) observed.
        positives: (K,) images of the class, at least 1.
        negatives: (K,) other images, at least 1.
    """

    def excluded(area: Float64Array) -> npt.NDArray[np.bool_]:
        both = area / (2 - area) - area**2
        either = 2 * area**2 / (1 + area) - area**2
        spread = area * (1 - area) + (positives - 1) * both + (negatives - 1) * either
        return np.asarray((areas - area) ** 2 > _Z**2 * spread / positives / negatives)

    return _edge(np.zeros_like(areas), areas, excluded), _edge(np.ones_like(areas), areas, excluded)


def _edge(
    outside: Float64Array, inside: Float64Array, excluded: Callable[[Float64Array], npt.NDArray[np.bool_]]
) -> Float64Array:
    """Return where ``excluded`` begins to hold on the way from ``inside`` to ``outside``, by bisection."""
    for _ in range(50):
        middle = (outside + inside) / 2
        gone = excluded(middle)
        outside, inside = np.where(gone, middle, outside), np.where(gone, inside, middle)
    return outside


def logit_limits(values: Float64Array, errors: Float64Array) -> Limits:
    """Return 95 % limits of fractions (K,) from their standard errors, symmetric in the logit.

    Where a value is 0 or 1 there is no logit, and the limits are the value itself.
    """
    inside = (values > 0) & (values < 1)
    safe = np.where(inside, values, 0.5)
    half = _Z * errors / (safe * (1 - safe))
    centre = logit(safe)
    return np.where(inside, expit(centre - half), values), np.where(inside, expit(centre + half), values)


def bootstrap_sums(
    tables: Iterable[csr_array], seed: int, resamples: int, groups: IntArray | None = None
) -> Float64Array:
    """Return the sums of a table's columns over ``resamples`` draws of its N rows with replacement.

    Every figure of an evaluation is made of such sums; so the whole bootstrap is sparse products, in
    pieces of bounded memory.

    Args:
        tables: (n, Q) each, which one below the other are what each of N images adds to each of Q sums.
        seed: of the draws.
        resamples: R, the number of draws.
        groups: (N,) numbers from 0: rows of one group are drawn together; None where each stands alone.

    Returns:
        (R, Q) sums.
    """
    columns = [table.T.tocsr() for table in tables]
    ends = np.cumsum([some.shape[1] for some in columns])
    count = int(ends[-1])
    drawn = count if groups is None else int(groups.max()) + 1
    found = []
    for counts in _draws(drawn, seed, resamples, max(1, _DRAWN_AT_ONCE // count)):
        each = counts if groups is None else counts[groups]
        parts = zip(columns, np.split(each, ends[:-1]), strict=True)
        found.append(sum(some @ part for some, part in parts).T)
    if count > _DRAWN_AT_ONCE // 2:
        del columns, counts, each, parts  # of millions of images, memory is needed now
        release_memory()
    return np.concatenate(found)


def bootstrap_means(
    columns: Float64Array, groups: IntArray | None, seed: int, resamples: int
) -> Float64Array:
    """Return (R, Q) the means of columns (N, Q) in each resample of the N rows, or of groups (N,) of them."""
    numbers = None if groups is None else np.unique(groups, return_inverse=True)[1]
    table = csr_array(np.concatenate([columns, np.ones((len(columns), 1))], axis=1))
    sums = bootstrap_sums([table], seed, resamples, numbers)
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def _draws(n: int, seed: int, resamples: int, step: int) -> Iterator[Float64Array]:
    """Return how often each of ``n`` rows was drawn: (n, ``step``) arrays, ``resamples`` columns in all."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = generator.integers(0, n, (count, n))
        drawn += n * np.arange(count)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=count * n)
        del drawn
        yield counts.reshape(count, n).T.astype(np.float64)


def percentiles(draws: npt.NDArray[Any]) -> Limits:
    """Return the middle 95 % of draws along the first axis; NaN, as of an absent class, is left out."""
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def pair(limits: Limits) -> tuple[float, float]:
    """Return limits of one figure as plain numbers."""
    return float(limits[0]), float(limits[1])


def hull(value: float, *limits: tuple[float, float], bottom: float = 0.0, top: float = 1.0) -> Interval:
    """Return the smallest interval that holds the value and all ``limits``, within [``bottom``, ``top``]."""
    low = min(value, *(float(pair[0]) for pair in limits))
    high = max(value, *(float(pair[1]) for pair in limits))
    return Interval(float(value), max(bottom, low), min(top, high))
