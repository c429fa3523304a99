"""Metrics of each class, and their means over the classes, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyebright.evaluation.intervals import (
    Float64Array,
    Limits,
    hull,
    mover,
    pair,
    percentiles,
    wilson,
    wilson_f1,
)
from eyebright.evaluation.multiclass.per_image_stats import PerImageStats
from eyebright.evaluation.multiclass.ranking import Ranking
from eyebright.evaluation.multiclass.results import ClassMetrics
from eyebright.evaluation.resampled_sums import ResampledSums
from eyebright.types import BoolArray, IntArray, Interval

#: Of what was not measured.
_UNKNOWN = Interval(0.0, 0.0, 1.0)


def per_class(
    stats: PerImageStats,
    labels: Sequence[str],
    sums: ResampledSums,
    ranking: Ranking,
    groups: IntArray | None,
) -> tuple[ClassMetrics, ...]:
    """Return precision, recall, F1 and ranking of each class.

    Of grouped images the bootstrap widens precision and recall too: Wilson knows only the groups' number.
    """
    confusion = stats.confusion()
    hits, predicted, support = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    shares = None
    if groups is not None:
        shares = [
            independent_shares(classes, groups, len(labels)) for classes in (stats.predicted, stats.truth)
        ]
    return class_metrics(hits, predicted, support, labels, sums, ranking, shares)


def independent_shares(classes: IntArray, groups: IntArray, count: int) -> Float64Array:
    """Return (K,) the share of each class's images that is independent: its groups by its images.

    Args:
        classes: (M,) class numbers.
        groups: (M,) group numbers.
        count: K.
    """
    width = int(groups.max(initial=0)) + 1
    distinct = np.bincount(np.unique(classes * width + groups) // width, minlength=count)
    return np.asarray(distinct / np.maximum(np.bincount(classes, minlength=count), 1))


def class_metrics(
    hits: IntArray,
    predicted: IntArray,
    support: IntArray,
    labels: Sequence[str],
    sums: ResampledSums,
    ranking: Ranking,
    shares: Sequence[Float64Array] | None,
) -> tuple[ClassMetrics, ...]:
    """Return metrics of each class from counts (K,) of hits, of predictions and of support.

    ``shares`` (K,) of the predicted and of the true images are independent; None where all are.
    """
    ones = np.ones(len(support))
    called, true = shares or (ones, ones)
    least = np.minimum(called, true)
    precision = _ratios(hits, predicted, wilson(called * hits, called * predicted))
    recall = _ratios(hits, support, wilson(true * hits, true * support))
    f1 = _ratios(2 * hits, predicted + support, wilson_f1(least * hits, least * predicted, least * support))
    known = support > 0
    _widen(f1, sums.f1(), known)
    if shares is not None:
        _widen(precision, sums.precision(), known)
        _widen(recall, sums.recall(), known)
    return tuple(
        ClassMetrics(
            labels[k],
            int(support[k]),
            *((precision[k], recall[k], f1[k]) if known[k] else (_UNKNOWN,) * 3),
            roc_auc=ranking.roc_auc[k],
            average_precision=ranking.average_precision[k],
        )
        for k in range(len(support))
    )


def class_mean(per_class: Sequence[Interval], weights: Float64Array, draws: Float64Array) -> Interval:
    """Return the weighted mean of a metric over the classes.

    Args:
        per_class: a figure of each of K classes.
        weights: (K,), of sum 1.
        draws: (R,) the mean of each resample.
    """
    known = np.flatnonzero(weights)
    values = np.array([[per_class[k].value, per_class[k].low, per_class[k].high] for k in known.tolist()])
    analytic = mover(values[:, 0], (values[:, 1], values[:, 2]), weights[known])
    return hull(float(values[:, 0] @ weights[known]), pair(percentiles(draws)), analytic)


def _ratios(numerator: IntArray, denominator: IntArray, limits: Limits) -> list[Interval]:
    """Return a ratio of each class with its limits; 0 where there is nothing to divide by."""
    values = numerator / np.maximum(denominator, 1)
    return [hull(value, (low, high)) for value, low, high in zip(values, *limits, strict=True)]


def _widen(figures: list[Interval], drawn: Float64Array, known: BoolArray) -> None:
    places = np.flatnonzero(known & ~np.isnan(drawn).all(axis=0))
    if not len(places):
        return
    for k, low, high in zip(places.tolist(), *percentiles(drawn[:, places]), strict=True):
        figures[k] = hull(figures[k].value, (figures[k].low, figures[k].high), (low, high))
