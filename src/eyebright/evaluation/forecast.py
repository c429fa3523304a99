"""The learning curve and its forecast for more training images.

The error of a classifier mostly falls as a power of the number of its training images (Hestness et al., 2017,
arXiv 1712.00409), a straight line on logarithmic axes, until it meets what no number of images can mend. So
one line is drawn through all sizes and one through the last two. The forecast is the mean of both, on the
logarithmic axis; its range holds 95 % of what either says in resamples of the images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from eyebright.evaluation.intervals import Float64Array, bootstrap_sums, hull, pair, percentiles
from eyebright.evaluation.proportions import proportion
from eyebright.training.linear_probe.learning_curve import CurvePoint
from eyebright.types import Interval, JsonObject

_TIMES = 2
# Less than this is not worth twice the labelling.
_LITTLE = 0.005
_LEAST_ERROR = 1e-4


@dataclass(frozen=True)
class Forecast:
    """The accuracy forecast for a number of training images.

    Attributes:
        images: how many.
        accuracy: forecast, with the range of the method and of the images that were drawn.
        now: the same line's accuracy for the images that there are.
    """

    images: int
    accuracy: Interval
    now: float

    @property
    def worth_it(self) -> bool:
        """Return whether so many images would help noticeably."""
        return self.accuracy.value - self.now >= _LITTLE

    def at(self, images: int) -> Interval:
        """Return the accuracy forecast for another number of images, on the line from now to the forecast.

        Args:
            images: at least half as many as the forecast is for, which is what there is now.
        """
        steps = math.log(max(2 * images / self.images, 1.0)) / math.log(_TIMES)
        before = max(1 - self.now, _LEAST_ERROR)

        def accuracy(there: float) -> float:
            return float(1 - before * (max(1 - there, _LEAST_ERROR) / before) ** steps)

        found = self.accuracy
        ends = (accuracy(found.low), accuracy(found.high))
        return hull(accuracy(found.value), ends)


@dataclass(frozen=True)
class SizePoint:
    """Accuracy of heads that learned from ``images`` images: a ``share`` of all, less one fold."""

    share: float
    images: int
    accuracy: Interval


@dataclass(frozen=True)
class LearningCurve:
    """How accuracy grows with the number of training images, by cross-validation, small to large."""

    points: tuple[SizePoint, ...]
    forecast: Forecast | None

    def to_json(self) -> JsonObject:
        """Return the curve as `metrics.json` holds it."""
        return asdict(self)


def grown(points: Sequence[CurvePoint], seed: int) -> LearningCurve | None:
    """Return the curve with its forecast; None without points."""
    if not points:
        return None
    right = np.stack([point.right for point in points])
    sizes = [point.images for point in points]
    found = tuple(SizePoint(point.share, round(point.images), proportion(point.right)) for point in points)
    return LearningCurve(found, forecast(sizes, right, right.shape[1], seed=seed))


def forecast(
    sizes: Sequence[float],
    right: npt.NDArray[np.bool_],
    count: int,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Forecast | None:
    """Return the forecast for twice as many images as there are; None from fewer than three sizes.

    Args:
        sizes: P numbers of training images, rising.
        right: (P, N) whether each of the same N images was predicted correctly at each size.
        count: of the images that there are.
        seed: of the bootstrap.
        resamples: how many.
    """
    if len(sizes) < 3:
        return None
    drawn = bootstrap_sums([csr_array((~right).T.astype(np.float64))], seed, resamples)
    observed = (~right).sum(axis=1)[None].astype(np.float64)
    at = np.log(np.array([_TIMES * count, count]) / sizes[-1])
    lines = [_lines(observed, right.shape[1], np.log(sizes), x) for x in at]
    resampled = _lines(drawn, right.shape[1], np.log(sizes), at[0])
    value, now = (1 - float(np.exp(line.mean())) for line in lines)
    limits = pair(percentiles(1 - np.exp(resampled.ravel())))
    return Forecast(_TIMES * count, hull(value, limits), now)


def _lines(wrong: Float64Array, images: int, sizes: Float64Array, at: float) -> Float64Array:
    """Return (2, R) logarithms of the error that both lines of R resamples predict.

    Args:
        wrong: (R, P) images that were predicted wrongly.
        images: N.
        sizes: (P,) logarithms.
        at: how far beyond the last size, as a logarithm.
    """
    # Half an image more, so that no mistake at all is no endless line.
    error = np.log((wrong + 0.5) / (images + 1))
    centred = sizes - sizes.mean()
    slopes = (error @ centred / (centred**2).sum(), (error[:, -1] - error[:, -2]) / (sizes[-1] - sizes[-2]))
    last = error.mean(axis=1) + slopes[0] * centred[-1], error[:, -1]
    # More images that seem to harm are chance.
    return np.stack([start + np.minimum(slope, 0) * at for start, slope in zip(last, slopes, strict=True)])
