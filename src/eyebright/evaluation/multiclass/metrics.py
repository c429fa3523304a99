"""Multi-class metrics of predictions, each with a 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyebright.evaluation.calibration import reliability
from eyebright.evaluation.intervals import Float64Array, hull, pair, percentiles, wilson
from eyebright.evaluation.multiclass.agreement import kappa, matthews
from eyebright.evaluation.multiclass.per_class import class_mean, per_class
from eyebright.evaluation.multiclass.per_image_stats import TOP, PerImageStats
from eyebright.evaluation.multiclass.ranking import rank
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.proper_scores import brier, calibration_error, log_loss, require_finite
from eyebright.types import FloatArray, IntArray, Interval, Split


def measure(
    truth: IntArray,
    probabilities: FloatArray,
    labels: Sequence[str],
    split: Split,
    *,
    groups: IntArray | None = None,
    predicted: IntArray | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Metrics:
    """Return all metrics of one split, with 95 % intervals.

    Each interval is the percentile bootstrap's,
    or of ranking the jackknife's, widened where an analytic interval is wider (see
    :mod:`eyebright.evaluation.intervals`), so that no interval is a point, even if all predictions are
    correct or N is 1.

    Balanced accuracy and macro F1 are means over the classes with an image in this split. For balanced
    accuracy scikit-learn does so too; its macro F1 would also count, as 0, a class that was predicted but
    has no image here. Such a class has support 0, and precision, recall and F1 are 0 with interval [0, 1],
    as for all that was not measured; so is the precision of a class that was never predicted. What needs
    images of two classes, and has them of one, is None.

    Args:
        truth: (N,) class numbers, N >= 1.
        probabilities: (N, K), rows that sum to 1.
        labels: K class names.
        split: which split this is.
        groups: (N,) numbers from 0 that images which are not independent share; None where all are.
        predicted: (N,) classes that are decided on; None for the most probable, of equal ones the first.
        seed: of the bootstrap.
        resamples: number of bootstrap resamples.

    Raises:
        ModelError: a probability is not a number.
    """
    require_finite(probabilities)
    stats = PerImageStats.of(truth, probabilities, groups, predicted)
    sums = stats.resampled(seed, resamples, groups)
    confusion = stats.confusion()
    ranking = rank(stats.truth, probabilities, groups)
    classes = per_class(stats, labels, sums, ranking, groups)
    share = confusion.sum(axis=1) / len(truth)
    known = share > 0
    even = known / known.sum()
    f1, drawn_f1 = [c.f1 for c in classes], sums.f1()
    return Metrics(
        split=split,
        count=len(truth),
        labels=tuple(labels),
        accuracy=_share(stats, stats.hit, sums.hits.sum(axis=1) / sums.count),
        top5=_share(stats, stats.in_top, sums.means()[:, 2]) if stats.classes > TOP else None,
        balanced_accuracy=class_mean(
            [c.recall for c in classes], even, np.nanmean(sums.recall()[:, known], axis=1)
        ),
        macro_f1=class_mean(f1, even, np.nanmean(drawn_f1[:, known], axis=1)),
        weighted_f1=class_mean(f1, share, np.nansum(drawn_f1 * sums.support, axis=1) / sums.count),
        kappa=kappa(stats, sums),
        matthews=matthews(stats, sums),
        roc_auc=ranking.mean_roc_auc,
        average_precision=ranking.mean_average_precision,
        log_loss=log_loss(stats, sums),
        brier=brier(stats, sums),
        ece=calibration_error(stats, sums),
        per_class=classes,
        confusion=confusion,
        reliability=reliability(stats.confidence, stats.likeliest_hit),
    )


def _share(stats: PerImageStats, hit: Float64Array, drawn: Float64Array) -> Interval:
    """Return the share of correct images (N,) with its interval; ``drawn`` (R,) are the resamples' shares."""
    return hull(
        float(hit.mean()),
        pair(percentiles(drawn)),
        pair(wilson(stats.independent * hit.sum(), stats.independent * len(hit))),
    )
