"""How well the probability of each class ranks its images before others: ROC-AUC and average precision.

Both are smooth functions of the images' weights, so their variance is that of the infinitesimal jackknife
(Jaeckel 1972; Efron 1982): the sum of squared influences, one number an image. For ROC-AUC this is DeLong's
variance (1988). Influences of one group are added before they are squared, and so are those of all classes
for their mean, so that neither needs resampling: 1,000 classes cost 1,000 sorts.

Intervals are taken on the logit scale, and widened to hold an analytic one that is no point where every image
is ranked right: for ROC-AUC the score interval with Hanley and McNeil's variance (1982; Newcombe 2006), for
average precision Wilson's with as many trials as the class has images (Boyd, Eng and Page 2013). On resampled
digits, near 1, the jackknife alone held the figure of the whole 28 to 86 % of the time for ROC-AUC, and with
the analytic interval 98 to 99 %: so these intervals are up to twice as wide as they need be, and never too
narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from eyebright.evaluation.intervals import (
    Float64Array,
    Limits,
    hull,
    logit_limits,
    mover,
    score_limits,
    wilson,
)
from eyebright.types import BoolArray, FloatArray, IntArray, Interval

# Columns that are copied at a time: at most so many, of at most so many numbers in all.
_COLUMNS_AT_ONCE, _COPIED_AT_ONCE = 16, 2**22


@dataclass(frozen=True)
class Ranking:
    """Figures of ranking; None where the images are all of the class, or none is.

    Attributes:
        roc_auc: one for each class: the chance that an image of it gets a higher probability of it than
            another, ties counting half.
        average_precision: one for each class, as scikit-learn's.
        mean_roc_auc: of two classes the second's, which is the positive one; else the mean of those that
            there are.
        mean_average_precision: likewise.
    """

    roc_auc: tuple[Interval | None, ...]
    average_precision: tuple[Interval | None, ...]
    mean_roc_auc: Interval | None
    mean_average_precision: Interval | None


def rank(truth: IntArray, probabilities: FloatArray, groups: IntArray | None = None) -> Ranking:
    """Return ranking metrics with 95 % intervals.

    Args:
        truth: (N,) class numbers.
        probabilities: (N, K).
        groups: (N,) numbers from 0 that images which are not independent share; None where all are.
    """
    support = np.bincount(truth, minlength=probabilities.shape[1])
    found = _rank(lambda k: truth == k, support, probabilities, groups)
    if len(support) != 2:
        return found
    return replace(found, mean_roc_auc=found.roc_auc[1], mean_average_precision=found.average_precision[1])


def rank_labels(truth: IntArray, probabilities: FloatArray, groups: IntArray | None = None) -> Ranking:
    """Return ranking metrics of a multi-label task, with ``truth`` (N, K) and plain means over the labels."""
    return _rank(lambda k: truth[:, k] == 1, truth.sum(axis=0), probabilities, groups)


def _rank(
    of_class: Callable[[int], BoolArray],
    support: IntArray,
    probabilities: FloatArray,
    groups: IntArray | None,
) -> Ranking:
    count, classes = probabilities.shape
    ranked = np.flatnonzero((support > 0) & (support < count))
    areas, precisions = _Summary(count, groups), _Summary(count, groups)
    for k, scores in _columns(probabilities, ranked):
        curve = _Curve.of(scores, of_class(k))
        areas.add(curve.roc_auc, *curve.area_influence())
        precisions.add(curve.average_precision, *curve.precision_influence())
    independent = 1.0 if groups is None else (int(groups.max()) + 1) / count
    positives = np.maximum(independent * support[ranked], 1)
    negatives = np.maximum(independent * (count - support[ranked]), 1)
    area_limits = score_limits(np.array(areas.values), positives, negatives)
    precision_limits = wilson(np.array(precisions.values) * positives, positives)
    roc_auc, average_precision = areas.intervals(area_limits), precisions.intervals(precision_limits)
    return Ranking(
        _spread(roc_auc, ranked, classes),
        _spread(average_precision, ranked, classes),
        areas.mean(area_limits),
        precisions.mean(precision_limits),
    )


def _columns(probabilities: FloatArray, numbers: IntArray) -> Iterator[tuple[int, FloatArray]]:
    """Yield columns as contiguous rows, some at a time: one by one each would read the whole table again."""
    step = max(1, min(_COLUMNS_AT_ONCE, _COPIED_AT_ONCE // len(probabilities)))
    for start in range(0, len(numbers), step):
        some = numbers[start : start + step]
        yield from zip(some.tolist(), np.ascontiguousarray(probabilities[:, some].T), strict=True)


def _spread(intervals: Sequence[Interval], numbers: IntArray, classes: int) -> tuple[Interval | None, ...]:
    found: list[Interval | None] = [None] * classes
    for k, interval in zip(numbers.tolist(), intervals, strict=True):
        found[k] = interval
    return tuple(found)


@dataclass(frozen=True)
class _Curve:
    """Images by falling score; equal scores form one block, and arrays without N have one number a block.

    Of millions of images, no more of these numbers are held at a time than one needs.

    Attributes:
        order: (N,) places of the images, by falling score.
        right: (N,) whether each is of the class, in that order.
        hits_above: images of the class in this block and those before it.
        above: all images there.
    """

    order: IntArray
    right: BoolArray
    hits_above: Float64Array
    above: Float64Array

    @classmethod
    def of(cls, scores: FloatArray, positive: BoolArray) -> _Curve:
        order = np.argsort(-scores)
        ranked, right = scores[order], positive[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        hits_above = np.cumsum(right)[ends].astype(np.float64)
        return cls(order, right, hits_above, (ends + 1).astype(np.float64))

    @property
    def positives(self) -> int:
        return int(self.hits_above[-1])

    @property
    def negatives(self) -> int:
        return int(self.above[-1]) - self.positives

    @cached_property
    def roc_auc(self) -> float:
        pairs = self._others_below()
        pairs *= self._hits()
        return float(pairs.sum()) / self.positives / self.negatives

    @cached_property
    def average_precision(self) -> float:
        found = self._hits()
        found *= self.hits_above
        found /= self.above
        return float(found.sum()) / self.positives

    def area_influence(self) -> tuple[IntArray, Float64Array]:
        """Return the images' places (N,), and what ROC-AUC gains with the weight of each."""
        area = self.roc_auc
        of_class = self._others_below()
        of_class /= self.negatives
        of_class -= area
        of_class /= self.positives
        of_others = self.hits_above - self._hits() / 2
        of_others /= self.positives
        of_others -= area
        of_others /= self.negatives
        return self._each(of_class, of_others)

    def precision_influence(self) -> tuple[IntArray, Float64Array]:
        """Return places and gains of average precision: an image moves its own term and all below it."""
        of_class = self.hits_above / self.above  # the precision
        lost = self._hits()
        lost *= of_class
        lost /= self.above
        lost = _sum_from_end(lost)
        of_class -= self.average_precision
        of_class += _sum_from_end(self._hits() / self.above)
        of_class -= lost
        of_class /= self.positives
        lost /= -self.positives
        return self._each(of_class, lost)

    def _hits(self) -> Float64Array:
        """Return the images of the class in each block, a new array."""
        return np.diff(self.hits_above, prepend=0.0)

    def _others_below(self) -> Float64Array:
        """Return images of other classes with a lower score, and half of those with the same, a new array."""
        found = np.diff(self.above, prepend=0.0)
        found -= self._hits()
        found /= 2
        found += self.hits_above
        found -= self.above
        found += self.negatives
        return found

    def _each(self, of_class: Float64Array, of_others: Float64Array) -> tuple[IntArray, Float64Array]:
        """Return places and what belongs to each; the arrays are used up."""
        if len(self.above) != len(self.order):
            sizes = np.diff(self.above, prepend=0.0).astype(np.int64)
            of_class, of_others = np.repeat(of_class, sizes), np.repeat(of_others, sizes)
        np.copyto(of_others, of_class, where=self.right)
        return self.order, of_others


class _Summary:
    """One figure of several classes: its values, their standard errors, and that of their mean."""

    def __init__(self, count: int, groups: IntArray | None) -> None:
        self.values: list[float] = []
        self._errors: list[float] = []
        self._influence = np.zeros(count)
        self._groups = groups

    def add(self, value: float, places: IntArray, influence: Float64Array) -> None:
        self.values.append(value)
        self._influence[places] += influence
        self._errors.append(self._error(influence, places))

    def intervals(self, limits: Limits) -> list[Interval]:
        """Return an interval of each class, widened to hold its analytic ``limits``."""
        drawn = logit_limits(np.array(self.values), np.array(self._errors))
        return [
            hull(value, (a, b), (c, d))
            for value, a, b, c, d in zip(self.values, *drawn, *limits, strict=True)
        ]

    def mean(self, limits: Limits) -> Interval | None:
        """Return the mean over the classes; None where none has a value."""
        count = len(self.values)
        if not count:
            return None
        values = np.array(self.values)
        error = self._error(self._influence, np.arange(len(self._influence))) / count
        low, high = logit_limits(values.mean(keepdims=True), np.array([error]))
        analytic = mover(values, limits, np.full(count, 1 / count))
        return hull(float(values.mean()), (float(low[0]), float(high[0])), analytic)

    def _error(self, influence: Float64Array, places: IntArray) -> float:
        summed = influence
        if self._groups is not None:
            summed = np.bincount(self._groups[places], weights=influence).astype(np.float64)
        return float(np.sqrt(np.square(summed).sum()))  # a threaded product would be slower


def _sum_from_end(values: Float64Array) -> Float64Array:
    return np.cumsum(values[::-1])[::-1]
