"""Figures of predictions against the truth, each with an interval that says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack

from eyebright.errors import ModelError
from eyebright.evaluation.calibration import BINS, bin_of, reliability
from eyebright.evaluation.intervals import (
    Float64Array,
    Limits,
    bootstrap_sums,
    hull,
    mover,
    percentiles,
    student,
    wilson,
    wilson_f1,
)
from eyebright.evaluation.results import ClassMetrics, Metrics
from eyebright.types import FloatArray, IntArray, Interval, Split

#: A probability of the true class counts as at least this, so that one mistake cannot cost an endless loss.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
_WORST_LOSS = -float(np.log(SMALLEST_PROBABILITY))


def measure(
    truth: IntArray,
    probabilities: FloatArray,
    labels: Sequence[str],
    split: Split,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Metrics:
    """All figures of one part of the data, with 95 % intervals.

    Of equal probabilities the first class counts as predicted. Each interval is the percentile bootstrap's,
    widened where an analytic interval is wider (see :mod:`eyebright.evaluation.intervals`), so that no
    interval is a point, whether all answers are right or N is 1.

    Balanced accuracy and macro F1 are means over the classes with an image in this part. For balanced
    accuracy scikit-learn does so too; its macro F1 would also count, as 0, a class that was predicted but
    has no image here. Such a class has support 0, and precision, recall and F1 are 0 with interval [0, 1],
    as for all that was not measured; so is the precision of a class that was never predicted.

    Args:
        truth: (N,) class numbers, N >= 1.
        probabilities: (N, K), rows that sum to 1.
        labels: K class names.
        split: which part of the data this is.
        seed: of the bootstrap.
        resamples: number of bootstrap resamples.

    Raises:
        ModelError: a probability is not a number.
    """
    if not np.isfinite(probabilities).all():
        raise ModelError(
            "Probabilities must be numbers. The model gave NaN or infinity. Train the model again."
        )
    answers = _Answers.of(truth, probabilities)
    sums = _Sums(bootstrap_sums(answers.table(), seed, resamples), answers.classes)
    confusion = answers.confusion()
    per_class = _per_class(confusion, labels, sums)
    return Metrics(
        split=split,
        count=len(truth),
        labels=tuple(labels),
        accuracy=_accuracy(confusion, sums),
        balanced_accuracy=_macro([c.recall for c in per_class], confusion, sums.recall()),
        macro_f1=_macro([c.f1 for c in per_class], confusion, sums.f1()),
        log_loss=_log_loss(answers, sums),
        ece=_ece(answers, sums),
        per_class=per_class,
        confusion=confusion,
        reliability=reliability(answers.confidence, answers.hit),
    )


@dataclass(frozen=True)
class _Answers:
    """What the figures need of each image: no array here has more than N numbers."""

    truth: IntArray
    predicted: IntArray
    confidence: Float64Array
    loss: Float64Array
    classes: int

    @classmethod
    def of(cls, truth: IntArray, probabilities: FloatArray) -> _Answers:
        rows = np.arange(len(truth))
        predicted = probabilities.argmax(axis=1)
        own = probabilities[rows, truth].astype(np.float64)
        confidence = np.minimum(probabilities[rows, predicted].astype(np.float64), 1)
        loss = -np.log(np.clip(own, SMALLEST_PROBABILITY, 1))
        return cls(truth.astype(np.int64), predicted, confidence, loss, probabilities.shape[1])

    @property
    def hit(self) -> Float64Array:
        """1 where the answer is right, else 0."""
        return np.equal(self.truth, self.predicted).astype(np.float64)

    @property
    def bins(self) -> IntArray:
        return bin_of(self.confidence)

    def confusion(self) -> IntArray:
        cells = np.bincount(self.truth * self.classes + self.predicted, minlength=self.classes**2)
        return cells.reshape(self.classes, self.classes)

    def table(self) -> csr_array:
        """(N, 3K + BINS + 1): the image's class, its predicted class, its class if hit, gap by bin, loss."""
        ones = np.ones(len(self.truth))
        return hstack(
            [
                _spread(self.truth, ones, self.classes),
                _spread(self.predicted, ones, self.classes),
                _spread(self.truth, self.hit, self.classes),
                _spread(self.bins, self.confidence - self.hit, BINS),
                csr_array(self.loss[:, None]),
            ],
            format="csr",
        )


@dataclass(frozen=True)
class _Sums:
    """The sums of each of R resamples, (R, 3K + BINS + 1), columns as in :meth:`_Answers.table`."""

    columns: Float64Array
    classes: int

    @property
    def support(self) -> Float64Array:
        return self.columns[:, : self.classes]

    @property
    def predicted(self) -> Float64Array:
        return self.columns[:, self.classes : 2 * self.classes]

    @property
    def hits(self) -> Float64Array:
        return self.columns[:, 2 * self.classes : 3 * self.classes]

    @property
    def count(self) -> Float64Array:
        count: Float64Array = self.support.sum(axis=1)
        return count

    def recall(self) -> Float64Array:
        """(R, K), NaN where the resample has no image of the class."""
        return self.hits / np.where(self.support > 0, self.support, np.nan)

    def f1(self) -> Float64Array:
        """(R, K), NaN where the resample has no image of the class."""
        return 2 * self.hits / np.where(self.support > 0, self.support + self.predicted, np.nan)

    def gap(self) -> Float64Array:
        total: Float64Array = np.abs(self.columns[:, 3 * self.classes : -1]).sum(axis=1)
        return total / self.count

    def loss(self) -> Float64Array:
        return self.columns[:, -1] / self.count


def _spread(column: IntArray, values: Float64Array, width: int) -> csr_array:
    """(N, width): one value in each row."""
    return csr_array((values, column, np.arange(len(column) + 1)), shape=(len(column), width))


def _pair(limits: Limits) -> tuple[float, float]:
    return float(limits[0]), float(limits[1])


def _accuracy(confusion: IntArray, sums: _Sums) -> Interval:
    hits, count = np.trace(confusion), confusion.sum()
    drawn = percentiles(sums.hits.sum(axis=1) / sums.count)
    return hull(hits / count, _pair(drawn), _pair(wilson(hits, count)))


def _per_class(confusion: IntArray, labels: Sequence[str], sums: _Sums) -> tuple[ClassMetrics, ...]:
    hits, predicted, support = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    known = support > 0
    precision = _columns(hits, predicted, wilson(hits, predicted))
    recall = _columns(hits, support, wilson(hits, support))
    drawn = sums.f1()
    f1 = _columns(2 * hits, predicted + support, wilson_f1(hits, predicted, support))
    for k in np.flatnonzero(known & ~np.isnan(drawn).all(axis=0)):
        f1[k] = hull(f1[k].value, (f1[k].low, f1[k].high), _pair(percentiles(drawn[:, k])))
    unknown = Interval(0.0, 0.0, 1.0)
    return tuple(
        ClassMetrics(
            labels[k], int(support[k]), *((precision[k], recall[k], f1[k]) if known[k] else (unknown,) * 3)
        )
        for k in range(len(confusion))
    )


def _columns(numerator: IntArray, denominator: IntArray, limits: Limits) -> list[Interval]:
    """A ratio of each class with its limits; 0 where there is nothing to divide by."""
    values = numerator / np.maximum(denominator, 1)
    return [hull(value, (low, high)) for value, low, high in zip(values, *limits, strict=True)]


def _macro(per_class: list[Interval], confusion: IntArray, draws: Float64Array) -> Interval:
    """Mean of the classes that have images: here, and in each resample."""
    known = [k for k, support in enumerate(confusion.sum(axis=1)) if support]
    values = np.array([[per_class[k].value, per_class[k].low, per_class[k].high] for k in known])
    weights = np.full(len(known), 1 / len(known))
    drawn = percentiles(np.nanmean(draws[:, known], axis=1))
    analytic = mover(values[:, 0], (values[:, 1], values[:, 2]), weights)
    return hull(float(values[:, 0].mean()), _pair(drawn), analytic)


def _log_loss(answers: _Answers, sums: _Sums) -> Interval:
    """Of one image the interval is all that a loss can be."""
    loss = answers.loss
    analytic = student(loss) if len(loss) > 1 else (0.0, _WORST_LOSS)
    drawn = _pair(percentiles(sums.loss()))
    return hull(float(loss.mean()), drawn, analytic, _unseen_loss(answers), top=_WORST_LOSS)


def _unseen_loss(answers: _Answers) -> tuple[float, float]:
    """What the mean loss may be where all answers were right, or all wrong: no loss shows the other case.

    Wilson's limit of accuracy says how many mistakes may have gone unseen; a mistake costs what it would
    have cost with these images' probabilities.
    """
    count, hits, loss = len(answers.loss), answers.hit.sum(), float(answers.loss.mean())
    low, high = _pair(wilson(hits, count))
    mistake = -np.log(np.maximum(-np.expm1(-answers.loss), SMALLEST_PROBABILITY)).mean()
    return loss * (1 - high) if hits == 0 else loss, loss + (1 - low) * mistake if hits == count else loss


def _ece(answers: _Answers, sums: _Sums) -> Interval:
    """The bootstrap, MOVER over the bins, and the least that Wilson's limits of each bin's accuracy allow.

    Chance alone gives every bin a gap, so a sample's ECE exceeds that of the whole, and resamples exceed it
    again: the lower limit is what stays when every bin's accuracy comes as near to its confidence as it may.
    """
    bins = reliability(answers.confidence, answers.hit)
    counts = np.array([b.count for b in bins], np.float64)
    confidence = np.array([b.confidence for b in bins])
    accuracy = np.array([b.accuracy for b in bins])
    low, high = wilson(np.rint(accuracy * counts), counts)
    nearest = np.maximum(np.maximum(low - confidence, confidence - high), 0)
    farthest = np.maximum(np.abs(confidence - low), np.abs(high - confidence))
    gaps, weights = np.abs(confidence - accuracy), counts / counts.sum()
    value = float(weights @ gaps)
    drawn = _pair(percentiles(sums.gap()))
    least = (float(weights @ nearest), value)
    return hull(value, drawn, mover(gaps, (nearest, farthest), weights), least)
