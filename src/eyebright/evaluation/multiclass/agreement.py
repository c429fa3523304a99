"""Agreement beyond chance: Cohen's kappa and Matthews' correlation, with their intervals.

Both are (accuracy - a) / b, where a is the accuracy that chance would give with as many images predicted each
class, and b makes perfect agreement 1. Wilson's limits of accuracy, carried over with a and b as they were
seen, keep the interval from being a point where everything was right, or wrong.
"""

from __future__ import annotations

import numpy as np

from eyebright.evaluation.intervals import Float64Array, hull, pair, percentiles, wilson
from eyebright.evaluation.multiclass.per_image_stats import PerImageStats
from eyebright.evaluation.resampled_sums import ResampledSums
from eyebright.types import IntArray, Interval


def kappa(stats: PerImageStats, sums: ResampledSums) -> Interval | None:
    """Return Cohen's kappa; None where all images are of one class and all are predicted as it."""
    return _beyond_chance(stats, sums, correlation=False)


def matthews(stats: PerImageStats, sums: ResampledSums) -> Interval | None:
    """Return Matthews' correlation; None where all images are of one class."""
    return _beyond_chance(stats, sums, correlation=True)


def _beyond_chance(stats: PerImageStats, sums: ResampledSums, *, correlation: bool) -> Interval | None:
    confusion = stats.confusion()
    support, predicted = confusion.sum(axis=1)[None], confusion.sum(axis=0)[None]
    chance, span = _chance(support, predicted, correlation)
    if np.isnan(chance[0]):
        return None
    count = stats.independent * confusion.sum()
    hits = stats.independent * np.trace(confusion)
    value = _over(np.array([hits / count]), chance, span)[0]
    limits = _over(np.array(pair(wilson(hits, count))), chance, span)
    drawn = _over(sums.hits.sum(axis=1) / sums.count, *_chance(sums.support, sums.predicted, correlation))
    resampled = pair(percentiles(drawn[~np.isnan(drawn)])) if not np.isnan(drawn).all() else (value, value)
    return hull(float(value), (float(limits[0]), float(limits[1])), resampled, bottom=-1.0)


def _chance(
    support: Float64Array | IntArray, predicted: Float64Array | IntArray, correlation: bool
) -> tuple[Float64Array, Float64Array]:
    """Return the accuracy that chance gives (R,), and the span above it; NaN where agreement means nothing.

    Where all images are predicted one class, the correlation has no span: it is 0, as scikit-learn's.
    """
    count = support.sum(axis=1).astype(np.float64)
    chance = (support * predicted).sum(axis=1) / count**2
    if not correlation:
        span = 1 - chance
        meaningless = span <= 0
    else:
        of_truth = 1 - (support / count[:, None] ** 2 * support).sum(axis=1)
        of_predictions = 1 - (predicted / count[:, None] ** 2 * predicted).sum(axis=1)
        span = np.sqrt(np.maximum(of_truth, 0) * np.maximum(of_predictions, 0))
        meaningless = (support > 0).sum(axis=1) < 2
    return np.where(meaningless, np.nan, chance), span


def _over(accuracy: Float64Array, chance: Float64Array, span: Float64Array) -> Float64Array:
    found: Float64Array = np.where(span > 1e-12, (accuracy - chance) / np.where(span > 1e-12, span, 1), 0.0)
    return np.where(np.isnan(chance), np.nan, np.clip(found, -1, 1))
