"""Calibration: expected calibration error and the bins of a reliability diagram."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.multiclass.results import ReliabilityBin
from eyebright.runtime.compact.table import row_blocks
from eyebright.task.task import task_of
from eyebright.types import FloatArray, IntArray

Float64Array: TypeAlias = npt.NDArray[np.float64]

BINS = 15


def bin_of(confidence: npt.NDArray[np.floating], bins: int = BINS) -> IntArray:
    """Return which of ``bins`` equal-width bins [low, high) of [0, 1] each lies in; the last holds 1 too."""
    scaled = np.floor(np.asarray(confidence, np.float64) * bins).astype(np.int64)
    return np.clip(scaled, 0, bins - 1)


def expected_calibration_error(confidence: Float64Array, hit: Float64Array, bins: int = BINS) -> float:
    """Return the mean distance between confidence and accuracy over equal-width bins of the confidence.

    Args:
        confidence: (M,) of the highest probabilities, or of all, M >= 1.
        hit: (M,) 1 where it came true, else 0.
        bins: number of bins.
    """
    return float(np.abs(_gaps(confidence, hit, bins)).sum() / len(confidence))


def _gaps(confidence: Float64Array, hit: Float64Array, bins: int) -> Float64Array:
    """Return (bins,) the sums of confidences (M,) less what came true."""
    found = np.bincount(bin_of(confidence, bins), weights=confidence - hit, minlength=bins)
    return found.astype(np.float64, copy=False)


def uncalibrated_error(truth: IntArray, probabilities: FloatArray, temperature: float) -> float:
    """Return the calibration error that the same predictions would have without their temperature.

    Args:
        truth: (N,) class numbers, or (N, K) of a multi-label task.
        probabilities: (N, K).
        temperature: that made them.
    """
    task = task_of(truth)
    sums, count = np.zeros(BINS), 0
    for some in row_blocks(probabilities):
        confidence, hit = task.scored(task.uncalibrated(probabilities[some], temperature), truth[some])
        sums += _gaps(confidence, hit, BINS)
        count += len(confidence)
    return float(np.abs(sums).sum() / count)


def reliability(confidence: Float64Array, hit: Float64Array) -> tuple[ReliabilityBin, ...]:
    """Return the non-empty equal-width bins of confidences (N,) of correct (1) or wrong (0) predictions."""
    bins = bin_of(confidence)
    return tuple(
        ReliabilityBin(
            low=b / BINS,
            high=(b + 1) / BINS,
            count=int(np.sum(bins == b)),
            confidence=float(confidence[bins == b].mean()),
            accuracy=float(hit[bins == b].mean()),
        )
        for b in np.unique(bins).tolist()
    )


def calibrated_loss(logits: FloatArray, truth: IntArray) -> float:
    """Return the mean log loss of held-out logits (N, K), in nats, with the temperature that suits them."""
    task = task_of(truth)
    scaled = np.asarray(logits, np.float32) / np.float32(task.fit_temperature(logits, truth))
    return float(task.losses(scaled, truth).mean())
