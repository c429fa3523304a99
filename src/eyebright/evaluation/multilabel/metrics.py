"""Multi-label metrics of predictions, each with a 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.calibration import reliability
from eyebright.evaluation.intervals import (
    Float64Array,
    hull,
    pair,
    percentiles,
    student,
    wilson,
    wilson_f1,
)
from eyebright.evaluation.multiclass.per_class import class_mean, class_metrics, independent_shares
from eyebright.evaluation.multiclass.per_image_stats import SMALLEST_PROBABILITY
from eyebright.evaluation.multiclass.ranking import rank_labels
from eyebright.evaluation.multilabel.per_image_stats import PerImageLabelStats
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.evaluation.proper_scores import WORST_LOSS, gap_interval, require_finite
from eyebright.evaluation.resampled_sums import ResampledSums
from eyebright.task.task import MultiLabel
from eyebright.types import FloatArray, IntArray, Interval, Split


def measure_labels(
    truth: IntArray,
    probabilities: FloatArray,
    thresholds: Float64Array,
    labels: Sequence[str],
    split: Split,
    *,
    predicted: IntArray | None = None,
    groups: IntArray | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> LabelMetrics:
    """Return all metrics of one split, with 95 % intervals over images, or over groups of them.

    As in :func:`eyebright.evaluation.multiclass.metrics.measure`, bootstrap intervals are widened where an
    analytic one is wider, so that none is a point. The labels of one image are not independent: wherever an
    analytic interval counts labels, it counts at most as many as there are images.

    Args:
        truth: (N, K) of 0 and 1, N >= 1.
        probabilities: (N, K), each label's own.
        thresholds: (K,) from which on a label is predicted.
        labels: K names.
        split: which split this is.
        predicted: (N, K) of 0 and 1; None for the labels whose probability reaches their threshold.
        groups: (N,) numbers from 0 that images which are not independent share; None where all are.
        seed: of the bootstrap.
        resamples: number of bootstrap resamples.

    Raises:
        ModelError: a probability is not a number.
    """
    require_finite(probabilities)
    if predicted is None:
        predicted = MultiLabel(thresholds).predicted(probabilities)
    stats = PerImageLabelStats.of(truth, probabilities, predicted, groups)
    sums = stats.resampled(seed, resamples, groups)
    ranking = rank_labels(truth, probabilities, groups)
    hits, called = (truth * predicted).sum(axis=0), predicted.sum(axis=0)
    support = truth.sum(axis=0)
    shares = None if groups is None else [_independent(table, groups) for table in (predicted, truth)]
    classes = class_metrics(hits, called, support, labels, sums, ranking, shares)
    f1, drawn_f1 = [c.f1 for c in classes], sums.f1()
    return LabelMetrics(
        split=split,
        count=len(truth),
        labels=tuple(labels),
        thresholds=tuple(map(float, thresholds)),
        accuracy=_share(stats, float(stats.correct.mean()), sums.means()[:, 0]),
        balanced_accuracy=_mean([c.recall for c in classes], support > 0, sums.recall()),
        hamming_loss=_share(stats, float((truth != stats.predicted).mean()), sums.means()[:, 1]),
        macro_f1=_mean(f1, support > 0, drawn_f1),
        weighted_f1=_mean(f1, support, drawn_f1),
        micro_f1=_micro_f1(stats, int(hits.sum()), int(called.sum()), int(support.sum()), sums),
        top5=None,
        kappa=None,
        matthews=None,
        confusion=np.zeros((0, 0), np.int64),
        roc_auc=ranking.mean_roc_auc,
        average_precision=ranking.mean_average_precision,
        log_loss=_loss(stats, stats.loss, sums.means()[:, 2], _flipped_loss(stats), WORST_LOSS),
        brier=_loss(stats, stats.brier, sums.means()[:, 3], _flipped_brier(stats), 1.0),
        ece=gap_interval(*_pairs(stats), sums.calibration_error(), stats.independent / len(labels)),
        per_class=classes,
        together=truth.T @ truth,
        false_negatives=support - hits,
        false_positives=called - hits,
        reliability=reliability(*_pairs(stats)),
    )


def _independent(table: IntArray, groups: IntArray) -> Float64Array:
    """Return (K,) the share of the images with each label of a table (N, K) that is independent."""
    rows, labels = np.nonzero(table)
    return independent_shares(labels, groups[rows], table.shape[1])


def _share(stats: PerImageLabelStats, value: float, drawn: Float64Array) -> Interval:
    """Return the interval of a share of images, or of image-label pairs, which count as one an image."""
    trials = stats.independent * len(stats.truth)
    return hull(value, pair(percentiles(drawn)), pair(wilson(value * trials, trials)))


def _mean(figures: Sequence[Interval], weights: npt.ArrayLike, drawn: Float64Array) -> Interval:
    """Return the mean over the labels that some image has; [0, 1] where none has any."""
    shares = np.asarray(weights, np.float64)
    known = shares > 0
    if not known.any():
        return Interval(0.0, 0.0, 1.0)
    shares = shares / shares.sum()
    there = np.where(np.isnan(drawn), 0, drawn)[:, known]
    present = ~np.isnan(drawn[:, known]) * shares[known]
    means = (there * shares[known]).sum(axis=1) / np.maximum(present.sum(axis=1), 1e-12)
    return class_mean(figures, shares, means)


def _micro_f1(
    stats: PerImageLabelStats, hits: int, predicted: int, support: int, sums: ResampledSums
) -> Interval:
    if not predicted + support:
        return Interval(0.0, 0.0, 1.0)
    scale = stats.independent * min(1.0, len(stats.truth) / (predicted + support - hits))
    limits = wilson_f1(scale * hits, scale * predicted, scale * support)
    return hull(2 * hits / (predicted + support), pair(percentiles(sums.micro_f1())), pair(limits))


def _loss(
    stats: PerImageLabelStats, loss: Float64Array, drawn: Float64Array, flipped: Float64Array, top: float
) -> Interval:
    """Return the interval of losses (N,) of at most ``top``; one error more would add ``flipped`` (N,).

    As with one label an image, Wilson's limits of accuracy say what may have gone unseen where all images are
    right, or all wrong.
    """
    mean = float(loss.mean())
    analytic = student(loss) if len(loss) > 1 else (0.0, top)
    trials = stats.independent * len(loss)
    low, high = pair(wilson(trials * stats.correct.mean(), trials))
    least = mean if stats.correct.any() else mean * (1 - high)
    most = mean + (1 - low) * float(flipped.mean()) if stats.correct.all() else mean
    return hull(mean, pair(percentiles(drawn)), analytic, (least, most), top=top)


def _flipped_loss(stats: PerImageLabelStats) -> Float64Array:
    """Return (N,) what the log loss would gain if the least sure label of an image were wrong."""
    least = stats.own.min(axis=1)
    other = np.clip(1 - least, SMALLEST_PROBABILITY, 1)
    gained = np.log(np.clip(least, SMALLEST_PROBABILITY, 1)) - np.log(other)
    return np.asarray(gained / stats.truth.shape[1], np.float64)


def _flipped_brier(stats: PerImageLabelStats) -> Float64Array:
    """Return (N,) what the Brier score would gain if the least sure label of an image were wrong."""
    least = stats.own.min(axis=1)
    found: Float64Array = (least**2 - (1 - least) ** 2) / stats.truth.shape[1]
    return found


def _pairs(stats: PerImageLabelStats) -> tuple[Float64Array, Float64Array]:
    """Return (N * K,) probabilities, and 1 where they came true."""
    return stats.probabilities.ravel(), stats.truth.ravel().astype(np.float64)
