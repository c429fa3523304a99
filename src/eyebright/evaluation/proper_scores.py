"""Metrics of the probabilities: log loss, Brier score and calibration error, with their intervals."""

from __future__ import annotations

import numpy as np

from eyebright.errors import ModelError
from eyebright.evaluation.calibration import reliability
from eyebright.evaluation.intervals import Float64Array, hull, mover, pair, percentiles, student, wilson
from eyebright.evaluation.multiclass.per_image_stats import SMALLEST_PROBABILITY, PerImageStats
from eyebright.evaluation.resampled_sums import ResampledSums
from eyebright.runtime.compact.table import by_rows
from eyebright.types import FloatArray, Interval

WORST_LOSS = -float(np.log(SMALLEST_PROBABILITY))


def require_finite(probabilities: FloatArray) -> None:
    """Require probabilities (N, K) that can be scored.

    Raises:
        ModelError: one is NaN or infinite.
    """
    if not by_rows(lambda rows: np.isfinite(rows).all(axis=1), probabilities).all():
        raise ModelError(
            "Probabilities must be finite. The model returned NaN or infinity. Train the model again."
        )


def log_loss(stats: PerImageStats, sums: ResampledSums) -> Interval:
    """Return the log loss in nats. A mistake costs what it would with these images' probabilities."""
    mistake = -np.log(np.maximum(-np.expm1(-stats.loss), SMALLEST_PROBABILITY))
    return _mean(stats.loss, sums.means()[:, 0], mistake, stats, WORST_LOSS)


def brier(stats: PerImageStats, sums: ResampledSums) -> Interval:
    """Return the mean squared distance from the truth: at most 1 of two classes, else 2, as scikit-learn."""
    top = 1.0 if stats.classes == 2 else 2.0
    return _mean(stats.brier, sums.means()[:, 1], top * stats.confidence**2, stats, top)


def calibration_error(stats: PerImageStats, sums: ResampledSums) -> Interval:
    """Return the calibration error of the most probable class; see :func:`gap_interval`."""
    return gap_interval(stats.confidence, stats.likeliest_hit, sums.calibration_error(), stats.independent)


def gap_interval(
    confidence: Float64Array, hit: Float64Array, drawn: Float64Array, independent: float
) -> Interval:
    """Return the mean distance over bins between confidence (N,) and accuracy.

    Its interval: the bootstrap, MOVER over the bins, and the least that Wilson's limits of each bin allow.

    Chance alone gives every bin a gap, so a sample's ECE exceeds that of the whole, and resamples exceed it
    again: the lower limit is what stays when every bin's accuracy comes as near to its confidence as it may.

    Args:
        confidence: (N,).
        hit: (N,) 1 where right, else 0.
        drawn: (R,) the figure of each resample.
        independent: share of the N that counts in analytic intervals.
    """
    bins = reliability(confidence, hit)
    counts = np.array([b.count for b in bins], np.float64)
    claimed = np.array([b.confidence for b in bins])
    accuracy = np.array([b.accuracy for b in bins])
    low, high = wilson(independent * np.rint(accuracy * counts), independent * counts)
    nearest = np.maximum(np.maximum(low - claimed, claimed - high), 0)
    farthest = np.maximum(np.abs(claimed - low), np.abs(high - claimed))
    gaps, weights = np.abs(claimed - accuracy), counts / counts.sum()
    value = float(weights @ gaps)
    least = (float(weights @ nearest), value)
    return hull(value, pair(percentiles(drawn)), mover(gaps, (nearest, farthest), weights), least)


def _mean(
    loss: Float64Array, drawn: Float64Array, mistake: Float64Array, stats: PerImageStats, top: float
) -> Interval:
    """Return the interval of losses (N,), at most ``top`` each; of one image, all that a loss can be."""
    analytic = student(loss) if len(loss) > 1 else (0.0, top)
    unseen = _unseen(float(loss.mean()), float(mistake.mean()), stats)
    return hull(float(loss.mean()), pair(percentiles(drawn)), analytic, unseen, top=top)


def _unseen(loss: float, mistake: float, stats: PerImageStats) -> tuple[float, float]:
    """Return the limits of a mean loss where all predictions were correct, or all wrong.

    Wilson's limit of accuracy says how many mistakes may have gone unseen, and ``mistake`` what one costs.
    """
    count, hits = stats.independent * len(stats.hit), stats.independent * stats.hit.sum()
    low, high = pair(wilson(hits, count))
    return loss * (1 - high) if hits == 0 else loss, loss + (1 - low) * mistake if hits == count else loss
