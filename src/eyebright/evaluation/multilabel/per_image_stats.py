"""What each image of a multi-label task contributes to the metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack

from eyebright.evaluation.calibration import BINS, bin_of
from eyebright.evaluation.intervals import Float64Array, bootstrap_sums
from eyebright.evaluation.multiclass.per_image_stats import SMALLEST_PROBABILITY
from eyebright.evaluation.resampled_sums import ResampledSums
from eyebright.types import FloatArray, IntArray


@dataclass(frozen=True)
class PerImageLabelStats:
    """Predictions for N images with the truth.

    Attributes:
        truth, predicted: (N, K) of 0 and 1.
        probabilities: (N, K).
        independent: share of the images that counts in analytic intervals: groups by images.
    """

    truth: IntArray
    predicted: IntArray
    probabilities: Float64Array
    independent: float

    @classmethod
    def of(
        cls, truth: IntArray, probabilities: FloatArray, predicted: IntArray, groups: IntArray | None
    ) -> PerImageLabelStats:
        """Return the stats of truth, probabilities and predictions (N, K), and groups (N,), if any."""
        independent = 1.0 if groups is None else (int(groups.max()) + 1) / len(truth)
        wide = np.clip(probabilities.astype(np.float64), 0, 1)
        return cls(truth, predicted, wide, independent)

    def resampled(self, seed: int, resamples: int, groups: IntArray | None) -> ResampledSums:
        """Return the sums of bootstrap resamples of the images."""
        ones = csr_array(np.ones((len(self.truth), 1)))
        drawn = bootstrap_sums([hstack([self.table(), ones], format="csr")], seed, resamples, groups)
        return ResampledSums(drawn[:, :-1], self.truth.shape[1], drawn[:, -1])

    @property
    def correct(self) -> Float64Array:
        """Return (N,) 1 where all labels of an image are correct, else 0."""
        return np.asarray((self.truth == self.predicted).all(axis=1), np.float64)

    @property
    def own(self) -> Float64Array:
        """Return (N, K) the probability of what is true."""
        return np.where(self.truth > 0, self.probabilities, 1 - self.probabilities)

    @property
    def loss(self) -> Float64Array:
        """Return the log loss (N,) in nats, the mean over the labels."""
        found: Float64Array = -np.log(np.clip(self.own, SMALLEST_PROBABILITY, 1)).mean(axis=1)
        return found

    @property
    def brier(self) -> Float64Array:
        """Return (N,) the squared distance of the probabilities from the truth, the mean over the labels."""
        found: Float64Array = np.square(self.probabilities - self.truth).mean(axis=1)
        return found

    def table(self) -> csr_array:
        """Return (N, 3K + BINS + 4), the columns that :class:`ResampledSums` sums.

        Labels that are true, that are predicted, that are both; gap by bin of probability; correct images;
        wrong labels, log loss and Brier score, each a mean over the labels.
        """
        rows, labels = self.truth.shape
        gaps = np.zeros((rows, BINS))
        places = np.repeat(np.arange(rows), labels), bin_of(self.probabilities).ravel()
        np.add.at(gaps, places, (self.probabilities - self.truth).ravel() / labels)
        wrong = (self.truth != self.predicted).mean(axis=1)
        columns = [self.truth, self.predicted, self.truth * self.predicted, gaps]
        means = np.stack([self.correct, wrong, self.loss, self.brier], axis=1)
        return csr_array(np.concatenate([*columns, means], axis=1))
