"""What each image of a multi-class task contributes to the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack

from eyebright.evaluation.calibration import BINS, bin_of
from eyebright.evaluation.intervals import Float64Array, bootstrap_sums
from eyebright.evaluation.resampled_sums import ResampledSums
from eyebright.runtime.compact.table import by_rows
from eyebright.types import FloatArray, IntArray

#: A probability of the true class counts as at least this, so that one mistake cannot cost an endless loss.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
#: How many of the likeliest classes count as predicted in the metric "top 5".
TOP = 5
_TABLE_ROWS = 65_536


@dataclass(frozen=True)
class PerImageStats:
    """Statistics per image from which all metrics follow; no array has more than N numbers.

    Attributes:
        truth: class numbers.
        predicted: the class that is decided on.
        likeliest: the most probable class, whose calibration is measured; of equal ones the first.
        confidence: the probability of the likeliest.
        loss: log loss, in nats.
        brier: squared distance of the probabilities from the truth; of two classes half of it.
        in_top: 1 where the true class is among the five likeliest, else 0.
        classes: K.
        independent: share of the images that counts in analytic intervals: groups by images.
    """

    truth: IntArray
    predicted: IntArray
    likeliest: IntArray
    confidence: Float64Array
    loss: Float64Array
    brier: Float64Array
    in_top: Float64Array
    classes: int
    independent: float

    @classmethod
    def of(
        cls,
        truth: IntArray,
        probabilities: FloatArray,
        groups: IntArray | None = None,
        predicted: IntArray | None = None,
    ) -> PerImageStats:
        """Return the stats of N images.

        Args:
            truth: (N,) class numbers.
            probabilities: (N, K).
            groups: (N,) group numbers, if any.
            predicted: (N,) the classes that are decided on; None for the most probable ones.
        """
        classes = probabilities.shape[1]
        rows = np.arange(len(truth))
        likeliest = probabilities.argmax(axis=1)
        predicted = likeliest if predicted is None else predicted
        own = probabilities[rows, truth].astype(np.float64)
        confidence = np.minimum(probabilities[rows, likeliest].astype(np.float64), 1)
        loss = -np.log(np.clip(own, SMALLEST_PROBABILITY, 1))
        squares = by_rows(_squares, probabilities)
        brier = np.maximum(squares - 2 * own + 1, 0) / (2 if classes == 2 else 1)
        in_top = by_rows(_in_top, probabilities, truth)
        independent = 1.0 if groups is None else (int(groups.max()) + 1) / len(truth)
        return cls(
            truth.astype(np.int64, copy=False),
            predicted,
            likeliest,
            confidence,
            loss,
            brier,
            in_top,
            classes,
            independent,
        )

    def resampled(self, seed: int, resamples: int, groups: IntArray | None) -> ResampledSums:
        """Return the sums of bootstrap resamples of the images."""
        drawn = bootstrap_sums(self.tables(), seed, resamples, groups)
        return ResampledSums(drawn, self.classes, drawn[:, : self.classes].sum(axis=1))

    @property
    def hit(self) -> Float64Array:
        """Return 1 where the prediction is correct, else 0."""
        return np.equal(self.truth, self.predicted).astype(np.float64)

    @property
    def likeliest_hit(self) -> Float64Array:
        """Return 1 where the most probable class is the true one, else 0."""
        return np.equal(self.truth, self.likeliest).astype(np.float64)

    def confusion(self) -> IntArray:
        """Return counts (K, K), a row for each true class."""
        cells = np.bincount(self.truth * self.classes + self.predicted, minlength=self.classes**2)
        return cells.reshape(self.classes, self.classes)

    def tables(self) -> Iterator[csr_array]:
        """Yield (n, 3K + BINS + 3) of some images at a time, the columns that :class:`ResampledSums` sums.

        The image's class, its predicted class, its class if correct, gap by bin of confidence, log loss,
        Brier score, top 5.
        """
        hit, gap = self.hit, self.confidence - self.likeliest_hit
        for start in range(0, len(self.truth), _TABLE_ROWS):
            some = slice(start, start + _TABLE_ROWS)
            truth = self.truth[some]
            ones = np.ones(len(truth))
            columns = [
                _spread(truth, ones, self.classes),
                _spread(self.predicted[some], ones, self.classes),
                _spread(truth, hit[some], self.classes),
                _spread(bin_of(self.confidence[some]), gap[some], BINS),
                csr_array(np.stack([self.loss[some], self.brier[some], self.in_top[some]], axis=1)),
            ]
            yield hstack(columns, format="csr")


def _spread(column: IntArray, values: Float64Array, width: int) -> csr_array:
    """Return (N, width) with one value in each row."""
    ends = np.arange(len(column) + 1, dtype=np.int32)
    return csr_array((values, column.astype(np.int32), ends), shape=(len(column), width))


def _squares(probabilities: FloatArray) -> Float64Array:
    """Return (N,) the sum of squares of probabilities (N, K)."""
    found: Float64Array = np.einsum("nk,nk->n", probabilities, probabilities, dtype=np.float64)
    return found


def _in_top(probabilities: FloatArray, truth: IntArray) -> Float64Array:
    """Return 1 where fewer than five classes rank before the true one; of equal ones the first does."""
    own = truth[:, None]
    value = np.take_along_axis(probabilities, own, axis=1)
    before = (probabilities > value).sum(axis=1)
    before += ((probabilities == value) & (np.arange(probabilities.shape[1]) < own)).sum(axis=1)
    return np.asarray(before < TOP, np.float64)
