"""95 % intervals that stay honest when nothing, or everything, went wrong.

A percentile bootstrap of "all 20 right" says [1, 1], for no resample holds an error. So every bootstrap
interval here is widened to hold an analytic one that knows the number of images:

* a proportion: Wilson's score interval (Wilson 1927; Brown, Cai and DasGupta 2001 advise it for small n);
* F1 = 2J / (1 + J), where J = hits / (hits + misses + false alarms) is a proportion: Wilson's interval of J,
  carried over (Lam, Gopal and Qian 2023, arXiv 2309.14621, the "Wilson indirect" method);
* a weighted mean of such figures: MOVER, the method of variance estimates recovery (Zou and Donner 2008);
* a mean of unbounded values: Student's t, for a bootstrap of few values is too narrow (Hesterberg 2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import stdtrit

from eyebright.types import Interval

Float64Array: TypeAlias = npt.NDArray[np.float64]
Limits: TypeAlias = "tuple[Float64Array, Float64Array]"

LEVEL = 0.95
_Z = 1.959963984540054
_DRAWN_AT_ONCE = 2_000_000


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike) -> Limits:
    """Wilson's 95 % score interval of proportions; [0, 1] where there was no trial.

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


def wilson_f1(hits: npt.ArrayLike, predicted: npt.ArrayLike, support: npt.ArrayLike) -> Limits:
    """95 % limits of F1, from Wilson's limits of hits among images that are or were called the class."""
    hits = np.asarray(hits, np.float64)
    low, high = wilson(hits, np.asarray(predicted) + np.asarray(support) - hits)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mover(values: Float64Array, limits: Limits, weights: Float64Array) -> tuple[float, float]:
    """95 % limits of ``weights @ values`` from the limits of each value (K,), taken as independent."""
    mean = float(weights @ values)
    below = float(np.sqrt(np.sum((weights * (values - limits[0])) ** 2)))
    above = float(np.sqrt(np.sum((weights * (limits[1] - values)) ** 2)))
    return mean - below, mean + above


def student(values: Float64Array) -> tuple[float, float]:
    """Student's 95 % interval of the mean of N >= 2 values."""
    n = len(values)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * float(values.std(ddof=1)) / n**0.5
    mean = float(values.mean())
    return mean - half, mean + half


def bootstrap_sums(table: csr_array, seed: int, resamples: int) -> Float64Array:
    """Sums of a table's columns over ``resamples`` draws of its N rows with replacement.

    Every figure of an evaluation is made of such sums; so the whole bootstrap is one sparse product, in
    pieces of bounded memory.

    Args:
        table: (N, Q), what each image adds to each of Q sums.
        seed: of the draws.
        resamples: R, the number of draws.

    Returns:
        (R, Q) sums.
    """
    columns = table.T.tocsr()
    return np.concatenate([(columns @ counts).T for counts in _draws(table.shape[0], seed, resamples)])


def _draws(n: int, seed: int, resamples: int) -> Iterator[Float64Array]:
    """How often each of ``n`` rows was drawn: (n, some) arrays, ``resamples`` columns in all."""
    generator = np.random.default_rng(seed)
    step = max(1, _DRAWN_AT_ONCE // n)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = generator.integers(0, n, (count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).T.astype(np.float64)


def percentiles(draws: npt.NDArray[Any]) -> Limits:
    """The middle 95 % of draws along the first axis; NaN, as of an absent class, is left out."""
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def hull(value: float, *limits: tuple[float, float], top: float = 1.0) -> Interval:
    """The smallest interval that holds the value and all ``limits``, within [0, ``top``]."""
    low = min(value, *(float(pair[0]) for pair in limits))
    high = max(value, *(float(pair[1]) for pair in limits))
    return Interval(float(value), max(0.0, low), min(top, high))
