"""The temperature that calibrates a model's probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eyebright.types import FloatArray, IntArray

TEMPERATURE_BOUNDS = (0.05, 100.0)
_GOLDEN = (5**0.5 - 1) / 2
_TOLERANCE = 1e-4  # of the temperature's logarithm


def fit_temperature(logits: FloatArray, truth: IntArray) -> float:
    """Return the temperature by which held-out logits must be divided so that their log loss is least.

    The loss is that of the N images and of one more, wrong one: the mean image again, labelled with its
    runner-up class. Without it, images that are all classified correctly would call for infinite confidence;
    with it, N correct predictions can claim no more than about 1 - 1/(N + 1), as in Laplace's rule of
    succession and in Platt's scaling (1999). The loss is convex in 1/T, so the bounded search finds its one
    minimum.

    Args:
        logits: (N, K), N >= 1, not used to fit the model.
        truth: (N,) class numbers.

    Returns:
        T within 0.05 to 100: discriminant heads of few images need well over 10.
    """
    if logits.shape[1] == 1:
        return 1.0
    rows = np.arange(len(truth))
    margins = np.asarray(logits, np.float32) - logits[rows, truth][:, None]
    if not margins.any():  # nothing is known of the images, as with one training image a class
        return 1.0
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
    """Return where a unimodal loss is least; importing scipy.optimize would take longer than the search."""
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
