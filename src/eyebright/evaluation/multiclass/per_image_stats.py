"""What each image adds to the figures, and the sums of it that resamples have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack

from eyebright.evaluation.calibration import BINS, bin_of
from eyebright.evaluation.intervals import Float64Array
from eyebright.types import FloatArray, IntArray

#: A probability of the true class counts as at least this, so that one mistake cannot cost an endless loss.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
#: How many of the likeliest classes count as named in the figure "top 5".
TOP = 5
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Tally:
    """What the figures need of each image: no array here has more than N numbers.

    Attributes:
        truth: class numbers.
        predicted: the likeliest class; of equal ones the first.
        confidence: its probability.
        loss: log loss, in nats.
        brier: squared distance of the probabilities from the truth; of two classes half of it.
        in_top: 1 where the true class is among the five likeliest, else 0.
        classes: K.
        independent: share of the images that counts in analytic intervals: groups by images.
    """

    truth: IntArray
    predicted: IntArray
    confidence: Float64Array
    loss: Float64Array
    brier: Float64Array
    in_top: Float64Array
    classes: int
    independent: float

    @classmethod
    def of(cls, truth: IntArray, probabilities: FloatArray, groups: IntArray | None = None) -> Tally:
        """From class numbers (N,), probabilities (N, K) and the groups' numbers (N,), if any."""
        classes = probabilities.shape[1]
        rows = np.arange(len(truth))
        predicted = probabilities.argmax(axis=1)
        own = probabilities[rows, truth].astype(np.float64)
        confidence = np.minimum(probabilities[rows, predicted].astype(np.float64), 1)
        loss = -np.log(np.clip(own, SMALLEST_PROBABILITY, 1))
        squares = np.einsum("nk,nk->n", probabilities, probabilities, dtype=np.float64)
        brier = np.maximum(squares - 2 * own + 1, 0) / (2 if classes == 2 else 1)
        in_top = _in_top(truth, probabilities)
        independent = 1.0 if groups is None else (int(groups.max()) + 1) / len(truth)
        return cls(truth.astype(np.int64), predicted, confidence, loss, brier, in_top, classes, independent)

    @property
    def hit(self) -> Float64Array:
        """1 where the answer is right, else 0."""
        return np.equal(self.truth, self.predicted).astype(np.float64)

    def confusion(self) -> IntArray:
        """(K, K) counts, a row for each true class."""
        cells = np.bincount(self.truth * self.classes + self.predicted, minlength=self.classes**2)
        return cells.reshape(self.classes, self.classes)

    def table(self) -> csr_array:
        """(N, 3K + BINS + 3).

        The image's class, its predicted class, its class if hit, gap by bin of confidence, log loss, Brier
        score, top 5.
        """
        ones = np.ones(len(self.truth))
        return hstack(
            [
                _spread(self.truth, ones, self.classes),
                _spread(self.predicted, ones, self.classes),
                _spread(self.truth, self.hit, self.classes),
                _spread(bin_of(self.confidence), self.confidence - self.hit, BINS),
                csr_array(np.stack([self.loss, self.brier, self.in_top], axis=1)),
            ],
            format="csr",
        )


@dataclass(frozen=True)
class Sums:
    """The sums of each of R resamples, (R, 3K + BINS + 3), columns as in :meth:`Tally.table`."""

    columns: Float64Array
    classes: int

    @property
    def support(self) -> Float64Array:
        """(R, K) images of each class."""
        return self.columns[:, : self.classes]

    @property
    def predicted(self) -> Float64Array:
        """(R, K) images that were named each class."""
        return self.columns[:, self.classes : 2 * self.classes]

    @property
    def hits(self) -> Float64Array:
        """(R, K) images of each class that were named right."""
        return self.columns[:, 2 * self.classes : 3 * self.classes]

    @property
    def count(self) -> Float64Array:
        """(R,) images: of grouped ones not every resample has as many."""
        count: Float64Array = self.support.sum(axis=1)
        return count

    def recall(self) -> Float64Array:
        """(R, K), NaN where the resample has no image of the class."""
        return self.hits / np.where(self.support > 0, self.support, np.nan)

    def precision(self) -> Float64Array:
        """(R, K), NaN where the resample has no image that was named the class."""
        return self.hits / np.where(self.predicted > 0, self.predicted, np.nan)

    def f1(self) -> Float64Array:
        """(R, K), NaN where the resample has no image of the class."""
        return 2 * self.hits / np.where(self.support > 0, self.support + self.predicted, np.nan)

    def gap(self) -> Float64Array:
        """(R,) calibration error."""
        total: Float64Array = np.abs(self.columns[:, 3 * self.classes : -3]).sum(axis=1)
        return total / self.count

    def means(self) -> Float64Array:
        """(R, 3): log loss, Brier score, share in the top 5."""
        return self.columns[:, -3:] / self.count[:, None]


def _spread(column: IntArray, values: Float64Array, width: int) -> csr_array:
    """(N, width): one value in each row."""
    return csr_array((values, column, np.arange(len(column) + 1)), shape=(len(column), width))


def _in_top(truth: IntArray, probabilities: FloatArray) -> Float64Array:
    """1 where fewer than five classes come before the true one; of equal ones the first comes first."""
    found = np.empty(len(truth))
    number = np.arange(probabilities.shape[1])
    for start in range(0, len(truth), _ROWS_AT_ONCE):
        some, own = probabilities[start : start + _ROWS_AT_ONCE], truth[start : start + _ROWS_AT_ONCE, None]
        value = np.take_along_axis(some, own, axis=1)
        before = (some > value).sum(axis=1) + ((some == value) & (number < own)).sum(axis=1)
        found[start : start + _ROWS_AT_ONCE] = before < TOP
    return found
