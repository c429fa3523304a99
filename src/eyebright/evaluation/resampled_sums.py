"""Sums over the images of bootstrap resamples, of which metrics are ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.calibration import BINS
from eyebright.evaluation.intervals import Float64Array


@dataclass(frozen=True)
class ResampledSums:
    """Sums of each of R resamples.

    Attributes:
        columns: (R, 3K + BINS + M): support, predictions and hits of each class or label, the calibration gap
            of each bin, and M quantities whose means are metrics.
        classes: K.
        count: (R,) images: of grouped ones not every resample has as many.
    """

    columns: Float64Array
    classes: int
    count: Float64Array

    @property
    def support(self) -> Float64Array:
        """Return (R, K) images of each class, or with each label."""
        return self.columns[:, : self.classes]

    @property
    def predicted(self) -> Float64Array:
        """Return (R, K) images for which each class or label is predicted."""
        return self.columns[:, self.classes : 2 * self.classes]

    @property
    def hits(self) -> Float64Array:
        """Return (R, K) images for which each class or label is predicted correctly."""
        return self.columns[:, 2 * self.classes : 3 * self.classes]

    def recall(self) -> Float64Array:
        """Return (R, K), NaN where the resample has no image of the class."""
        return self.hits / np.where(self.support > 0, self.support, np.nan)

    def precision(self) -> Float64Array:
        """Return (R, K), NaN where the resample has no image for which the class is predicted."""
        return self.hits / np.where(self.predicted > 0, self.predicted, np.nan)

    def f1(self) -> Float64Array:
        """Return (R, K), NaN where the resample has no image of the class."""
        return 2 * self.hits / np.where(self.support > 0, self.support + self.predicted, np.nan)

    def micro_f1(self) -> Float64Array:
        """Return (R,), 0 where nothing is true and nothing predicted."""
        total = self.support.sum(axis=1) + self.predicted.sum(axis=1)
        found: Float64Array = 2 * self.hits.sum(axis=1) / np.maximum(total, 1)
        return found

    def calibration_error(self) -> Float64Array:
        """Return (R,) expected calibration errors."""
        gaps = self.columns[:, 3 * self.classes : 3 * self.classes + BINS]
        total: Float64Array = np.abs(gaps).sum(axis=1)
        return total / self.count

    def means(self) -> Float64Array:
        """Return (R, M) means over the images."""
        return self.columns[:, 3 * self.classes + BINS :] / self.count[:, None]
