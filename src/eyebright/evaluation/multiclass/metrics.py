"""Figures of predictions against the truth, each with an interval that says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyebright.errors import ModelError
from eyebright.evaluation.calibration import reliability
from eyebright.evaluation.intervals import Float64Array, bootstrap_sums, hull, pair, percentiles, wilson
from eyebright.evaluation.multiclass.agreement import kappa, matthews
from eyebright.evaluation.multiclass.per_class import class_mean, per_class
from eyebright.evaluation.multiclass.per_image_stats import TOP, Sums, Tally
from eyebright.evaluation.multiclass.ranking import rank
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.proper_scores import brier, calibration_error, log_loss
from eyebright.types import FloatArray, IntArray, Interval, Split


def measure(
    truth: IntArray,
    probabilities: FloatArray,
    labels: Sequence[str],
    split: Split,
    *,
    groups: IntArray | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Metrics:
    """All figures of one part of the data, with 95 % intervals.

    Of equal probabilities the first class counts as predicted. Each interval is the percentile bootstrap's,
    or of ranking the jackknife's, widened where an analytic interval is wider (see
    :mod:`eyebright.evaluation.intervals`), so that no interval is a point, whether all answers are right or N
    is 1.

    Balanced accuracy and macro F1 are means over the classes with an image in this part. For balanced
    accuracy scikit-learn does so too; its macro F1 would also count, as 0, a class that was predicted but
    has no image here. Such a class has support 0, and precision, recall and F1 are 0 with interval [0, 1],
    as for all that was not measured; so is the precision of a class that was never predicted. What needs
    images of two classes, and has them of one, is None.

    Args:
        truth: (N,) class numbers, N >= 1.
        probabilities: (N, K), rows that sum to 1.
        labels: K class names.
        split: which part of the data this is.
        groups: (N,) numbers from 0 that images which are not independent share; None where all are.
        seed: of the bootstrap.
        resamples: number of bootstrap resamples.

    Raises:
        ModelError: a probability is not a number.
    """
    if not np.isfinite(probabilities).all():
        raise ModelError(
            "Probabilities must be finite. The model returned NaN or infinity. Train the model again."
        )
    tally = Tally.of(truth, probabilities, groups)
    sums = Sums(bootstrap_sums(tally.table(), seed, resamples, groups), tally.classes)
    confusion = tally.confusion()
    ranking = rank(tally.truth, probabilities, groups)
    classes = per_class(tally, labels, sums, ranking)
    share = confusion.sum(axis=1) / len(truth)
    known = share > 0
    even = known / known.sum()
    f1, drawn_f1 = [c.f1 for c in classes], sums.f1()
    return Metrics(
        split=split,
        count=len(truth),
        labels=tuple(labels),
        accuracy=_share(tally, tally.hit, sums.hits.sum(axis=1) / sums.count),
        top5=_share(tally, tally.in_top, sums.means()[:, 2]) if tally.classes > TOP else None,
        balanced_accuracy=class_mean(
            [c.recall for c in classes], even, np.nanmean(sums.recall()[:, known], axis=1)
        ),
        macro_f1=class_mean(f1, even, np.nanmean(drawn_f1[:, known], axis=1)),
        weighted_f1=class_mean(f1, share, np.nansum(drawn_f1 * sums.support, axis=1) / sums.count),
        kappa=kappa(tally, sums),
        matthews=matthews(tally, sums),
        roc_auc=ranking.mean_roc_auc,
        average_precision=ranking.mean_average_precision,
        log_loss=log_loss(tally, sums),
        brier=brier(tally, sums),
        ece=calibration_error(tally, sums),
        per_class=classes,
        confusion=confusion,
        reliability=reliability(tally.confidence, tally.hit),
    )


def _share(tally: Tally, hit: Float64Array, drawn: Float64Array) -> Interval:
    """Of images (N,) that were right, with the same of R resamples."""
    return hull(
        float(hit.mean()),
        pair(percentiles(drawn)),
        pair(wilson(tally.independent * hit.sum(), tally.independent * len(hit))),
    )
