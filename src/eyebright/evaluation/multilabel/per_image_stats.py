"""What each image adds to the figures where it may have several labels, and the sums that resamples have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from eyebright.evaluation.calibration import BINS, bin_of
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.multiclass.per_image_stats import SMALLEST_PROBABILITY
from eyebright.evaluation.rules.answering import answered
from eyebright.types import FloatArray, IntArray


@dataclass(frozen=True)
class LabelTally:
    """Answers to N images beside the truth.

    Attributes:
        truth, named: (N, K) of 0 and 1.
        probabilities: (N, K).
        independent: share of the images that counts in analytic intervals: groups by images.
    """

    truth: IntArray
    named: IntArray
    probabilities: Float64Array
    independent: float

    @classmethod
    def of(
        cls, truth: IntArray, probabilities: FloatArray, thresholds: Float64Array, groups: IntArray | None
    ) -> LabelTally:
        """From truth and probabilities (N, K), thresholds (K,) and the groups' numbers (N,), if any."""
        independent = 1.0 if groups is None else (int(groups.max()) + 1) / len(truth)
        wide = np.clip(probabilities.astype(np.float64), 0, 1)
        return cls(truth, answered(probabilities, thresholds), wide, independent)

    @property
    def right(self) -> Float64Array:
        """(N,) 1 where all labels of an image are right, else 0."""
        return np.asarray((self.truth == self.named).all(axis=1), np.float64)

    @property
    def own(self) -> Float64Array:
        """(N, K) the probability of what is true."""
        return np.where(self.truth > 0, self.probabilities, 1 - self.probabilities)

    @property
    def loss(self) -> Float64Array:
        """(N,) log loss in nats, the mean over the labels."""
        found: Float64Array = -np.log(np.clip(self.own, SMALLEST_PROBABILITY, 1)).mean(axis=1)
        return found

    @property
    def brier(self) -> Float64Array:
        """(N,) squared distance of the probabilities from the truth, the mean over the labels."""
        found: Float64Array = np.square(self.probabilities - self.truth).mean(axis=1)
        return found

    def table(self) -> csr_array:
        """(N, 3K + BINS + 4).

        Labels that are true, that are named, that are both; gap by bin of probability; right images; wrong
        answers, log loss and Brier score, each a mean over the labels.
        """
        rows, labels = self.truth.shape
        gaps = np.zeros((rows, BINS))
        places = np.repeat(np.arange(rows), labels), bin_of(self.probabilities).ravel()
        np.add.at(gaps, places, (self.probabilities - self.truth).ravel() / labels)
        wrong = (self.truth != self.named).mean(axis=1)
        columns = [self.truth, self.named, self.truth * self.named, gaps]
        means = np.stack([self.right, wrong, self.loss, self.brier], axis=1)
        return csr_array(np.concatenate([*columns, means], axis=1))


@dataclass(frozen=True)
class LabelSums:
    """The sums of each of R resamples, columns as in :meth:`LabelTally.table`, and their images (R,)."""

    columns: Float64Array
    labels: int
    count: Float64Array

    @property
    def support(self) -> Float64Array:
        """(R, K) images that have each label."""
        return self.columns[:, : self.labels]

    @property
    def named(self) -> Float64Array:
        """(R, K) images that are named each label."""
        return self.columns[:, self.labels : 2 * self.labels]

    @property
    def hits(self) -> Float64Array:
        """(R, K) images of which each label is both."""
        return self.columns[:, 2 * self.labels : 3 * self.labels]

    def recall(self) -> Float64Array:
        """(R, K), NaN where no image of the resample has the label."""
        return self.hits / np.where(self.support > 0, self.support, np.nan)

    def precision(self) -> Float64Array:
        """(R, K), NaN where no image of the resample is named the label."""
        return self.hits / np.where(self.named > 0, self.named, np.nan)

    def f1(self) -> Float64Array:
        """(R, K), NaN where no image of the resample has the label."""
        return 2 * self.hits / np.where(self.support > 0, self.support + self.named, np.nan)

    def micro_f1(self) -> Float64Array:
        """(R,), 0 where nothing is true and nothing named."""
        total = self.support.sum(axis=1) + self.named.sum(axis=1)
        found: Float64Array = 2 * self.hits.sum(axis=1) / np.maximum(total, 1)
        return found

    def gap(self) -> Float64Array:
        """(R,) calibration error."""
        total: Float64Array = np.abs(self.columns[:, 3 * self.labels : -4]).sum(axis=1)
        return total / self.count

    def means(self) -> Float64Array:
        """(R, 4): share of right images, of wrong answers, log loss, Brier score."""
        return self.columns[:, -4:] / self.count[:, None]
