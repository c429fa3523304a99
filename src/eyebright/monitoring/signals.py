"""What a log counts of each image: single numbers in bins that are the same for every model and reference.

Fixed bins let windows of different machines and days be added up, and let a test compare them with a
reference that was made later. A signal needs no reference to be recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from eyebright.types import FloatArray, IntArray

Signal = Literal["uncertainty", "unknown_score", "confidence", "brightness", "contrast", "sharpness", "size"]
Floats: TypeAlias = npt.NDArray[np.floating]

BINS = 64
_TINY = 1e-12


def _same(values: Floats) -> Floats:
    return values


@dataclass(frozen=True)
class _Scale:
    """How a signal's values are spread over the bins; what lies outside goes into the first or last bin."""

    low: float
    high: float
    transform: Callable[[Floats], Floats] = _same
    back: Callable[[Floats], Floats] = _same


def _logit(values: Floats) -> Floats:
    inside = np.clip(np.asarray(values, np.float64), _TINY, 1 - _TINY)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _log2(values: Floats) -> Floats:
    return np.asarray(np.log2(np.maximum(np.asarray(values, np.float64), _TINY)))


#: On the score's own scale 0 is usual and 1 the limit; sharpness and size count by factors.
_SCALES: Mapping[Signal, _Scale] = {
    "uncertainty": _Scale(-2, 6),
    "unknown_score": _Scale(-2, 4),
    "confidence": _Scale(-4, 12, _logit, expit),
    "brightness": _Scale(0, 1),
    "contrast": _Scale(0, 0.5),
    "sharpness": _Scale(0, 16, _log2, np.exp2),
    "size": _Scale(4, 14, _log2, np.exp2),
}
#: In the order of a log's rows.
SIGNALS: tuple[Signal, ...] = tuple(_SCALES)
#: Those that say how images look, in the order in which they are observed.
LOOKS: tuple[Signal, ...] = ("brightness", "contrast", "sharpness", "size")


def uncertainty(probabilities: FloatArray, scores: FloatArray | None) -> FloatArray:
    """Return how unsure a model is of images (n,): the OOD score, if it has one, and the doubt of the answer.

    A class that was never shown raises both a little, and their sum is told better than either.
    """
    doubt = 2 * (1 - probabilities.max(axis=1))
    return np.asarray(doubt if scores is None else scores + doubt, np.float32)


def bin_numbers(signal: Signal, values: Floats) -> IntArray:
    """Return the bins (n,) that values (n,) of a signal fall into."""
    scale = _SCALES[signal]
    share = (scale.transform(values) - scale.low) / (scale.high - scale.low)
    return np.asarray(np.clip(np.floor(share * BINS), 0, BINS - 1), np.int64)


def histogram(signal: Signal, values: Floats) -> IntArray:
    """Return how many of the values (n,) fall into each bin, (BINS,)."""
    return np.bincount(bin_numbers(signal, values), minlength=BINS)


def median(signal: Signal, counts: IntArray) -> float:
    """Return the middle of the bin in which the median of counted values (BINS,) lies."""
    scale = _SCALES[signal]
    place = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    middle = scale.low + (scale.high - scale.low) * (min(place, BINS - 1) + 0.5) / BINS
    return float(scale.back(np.array(middle)))
