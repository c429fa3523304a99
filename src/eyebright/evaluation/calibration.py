"""Confidence that means what it says: expected calibration error, and the temperature that mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.multiclass.results import ReliabilityBin
from eyebright.training.linear_probe.multilabel import sigmoid
from eyebright.training.linear_probe.targets import image_losses
from eyebright.types import FloatArray, IntArray

Float64Array: TypeAlias = npt.NDArray[np.float64]

BINS = 15
TEMPERATURE_BOUNDS = (0.05, 100.0)
_GOLDEN = (5**0.5 - 1) / 2
_TOLERANCE = 1e-4  # of the temperature's logarithm


def softmax(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """Probabilities (N, K) of logits (N, K), each divided by ``temperature``."""
    scaled = np.asarray(logits, np.float32) / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def calibrated(logits: FloatArray, temperature: float, several: bool) -> FloatArray:
    """Probabilities (N, K): of one label an image, or of each label by itself where there may be several."""
    return sigmoid(logits / np.float32(temperature)) if several else softmax(logits, temperature)


def bin_of(confidence: npt.NDArray[np.floating], bins: int = BINS) -> IntArray:
    """Which of ``bins`` equal-width bins [low, high) of [0, 1] holds each; the last holds 1 too."""
    scaled = np.floor(np.asarray(confidence, np.float64) * bins).astype(np.int64)
    return np.clip(scaled, 0, bins - 1)


def expected_calibration_error(truth: IntArray, probabilities: FloatArray, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over equal-width bins of the top confidence.

    Args:
        truth: (N,) class numbers, N >= 1.
        probabilities: (N, K); of equal ones the first class counts as predicted.
        bins: number of bins.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    gaps = confidence - (probabilities.argmax(axis=1) == truth)
    sums = np.bincount(bin_of(confidence, bins), weights=gaps, minlength=bins)
    return float(np.abs(sums).sum() / len(truth))


def uncalibrated_error(truth: IntArray, probabilities: FloatArray, temperature: float) -> float:
    """The calibration error that the same answers would have without their temperature.

    Args:
        truth: (N,) class numbers, or (N, K) where images may have several labels.
        probabilities: (N, K).
        temperature: which made them.
    """
    tiny = np.finfo(np.float32).tiny
    logits = np.log(np.maximum(probabilities, tiny))
    if truth.ndim == 1:
        return expected_calibration_error(truth, softmax(logits, 1 / temperature))
    logits -= np.log(np.maximum(1 - probabilities, tiny))
    raw = sigmoid(logits * np.float32(temperature)).ravel().astype(np.float64)
    sums = np.bincount(bin_of(raw), weights=raw - truth.ravel(), minlength=BINS)
    return float(np.abs(sums).sum()) / len(raw)


def reliability(confidence: Float64Array, hit: Float64Array) -> tuple[ReliabilityBin, ...]:
    """Equal-width bins of the confidences (N,) of answers that were right (1) or wrong (0); no empty ones."""
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
    """Mean log loss of held-out logits (N, K) with the temperature that suits them, in nats."""
    scaled = np.asarray(logits, np.float32) / np.float32(fit_temperature(logits, truth))
    return float(image_losses(scaled, truth).mean())


def fit_temperature(logits: FloatArray, truth: IntArray) -> float:
    """The temperature by which held-out logits must be divided so that their log loss is least.

    The loss is that of the N images and of one more, wrong one: the mean image again, labelled with its
    runner-up class. Without it, images that are all told right would ask for endless confidence; with it,
    N right answers can claim no more than about 1 - 1/(N + 1), as in Laplace's rule of succession and in
    Platt's scaling (1999). The loss is convex in 1/T, so the bounded search finds its one minimum.

    Args:
        logits: (N, K), N >= 1, not used to fit the model.
        truth: (N,) class numbers; or (N, K) where images may have several labels, each a question of its own.

    Returns:
        T within 0.05 to 100: discriminant heads of few images need well over 10.
    """
    if truth.ndim == 2:
        yes = logits.reshape(-1)
        return fit_temperature(np.stack([np.zeros_like(yes), yes], axis=1), truth.reshape(-1))
    if logits.shape[1] == 1:
        return 1.0
    rows = np.arange(len(truth))
    margins = np.asarray(logits, np.float32) - logits[rows, truth][:, None]
    margins[rows, truth] = -np.inf
    runner_up = margins.max(axis=1)
    margins[rows, truth] = 0
    pseudo = float(runner_up.mean(dtype=np.float64)) / (len(truth) + 1)

    def loss(log_temperature: float) -> float:
        inverse = float(np.exp(-log_temperature))
        return _mean_log_sum_exp(margins, inverse) - inverse * pseudo

    low, high = np.log(TEMPERATURE_BOUNDS)
    return float(np.exp(_golden_section(loss, low, high)))


def _golden_section(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a loss with one minimum is least; scipy.optimize would take longer to load than to search."""
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    values = [loss(x) for x in inner]
    while high - low > _TOLERANCE:
        if values[0] <= values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - _GOLDEN * (high - low)
            values[0] = loss(inner[0])
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + _GOLDEN * (high - low)
            values[1] = loss(inner[1])
    return (low + high) / 2


def _mean_log_sum_exp(values: FloatArray, factor: float) -> float:
    total = 0.0
    for start in range(0, len(values), 4096):
        part = values[start : start + 4096]
        top = part.max(axis=1, keepdims=True)
        sums = np.exp(np.float32(factor) * (part - top)).sum(axis=1, dtype=np.float64)
        total += float(np.sum(np.log(sums) + factor * top[:, 0]))
    return total / len(values)
