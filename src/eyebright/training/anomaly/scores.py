"""From distances to one score an image, comparable between detectors, and to a probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.training.anomaly.detector import TINY
from eyebright.types import FloatArray, IntArray

# Nine tenths of a normal distribution lie below so many standard deviations.
_NINE_TENTHS = 1.2816
_SLOPES = (0.5, 1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Standard:
    """What is usual of good images that were not learned from: of the logarithm of a distance.

    Attributes:
        centre: the median.
        spread: of the upper half, as of a normal distribution.
    """

    centre: float
    spread: float

    @classmethod
    def of(cls, distances: FloatArray) -> Standard:
        """Return the standard of good images' distances (N,)."""
        logs = np.log(np.maximum(distances, TINY))
        centre, high = np.quantile(logs, (0.5, 0.9))
        return cls(float(centre), max(float(high - centre) / _NINE_TENTHS, 1e-3))

    def standardised(self, distances: FloatArray) -> FloatArray:
        """Return distances (N,) in spreads above the centre."""
        logs = np.log(np.maximum(distances, np.float32(TINY)))
        return np.asarray((logs - self.centre) / self.spread, np.float32)


@dataclass(frozen=True)
class Distances:
    """Distances of N images.

    Attributes:
        highest: (N,) the mean of the most unusual places of each.
        whole: (N,) of the images as a whole.
    """

    highest: FloatArray
    whole: FloatArray

    def at(self, places: IntArray) -> Distances:
        """Return those of some images."""
        return Distances(self.highest[places], self.whole[places])


@dataclass(frozen=True)
class ScoreRule:
    """How distances become the score: the larger of how unusual the places and the whole image are.

    Attributes:
        places: what is usual of the most unusual places.
        whole: what is usual of the whole image; None where only places count.
    """

    places: Standard
    whole: Standard | None

    @classmethod
    def of(cls, good: Distances, with_whole: bool) -> ScoreRule:
        """Return the rule by the distances of good images that were not learned from."""
        return cls(Standard.of(good.highest), Standard.of(good.whole) if with_whole else None)

    def unusual(self, distances: Distances) -> FloatArray:
        """Return (N,) by how many spreads images are more unusual than good ones usually are."""
        places = self.places.standardised(distances.highest)
        if self.whole is None:
            return places
        return np.maximum(places, self.whole.standardised(distances.whole))


@dataclass(frozen=True)
class ScoreScale:
    """How the score is told: 1 at the limit from which on an image is an anomaly, about 0 of a usual one.

    Attributes:
        limit: in spreads, as :meth:`ScoreRule.unusual` gives them.
        slope: of the probability's log odds, for 1 of the score.
    """

    limit: float
    slope: float

    @property
    def unit(self) -> float:
        """Return how many spreads make 1 of the score."""
        return max(self.limit, 1.0)

    def score(self, unusual: FloatArray) -> FloatArray:
        """Return scores (N,)."""
        return np.asarray(1 + (unusual - self.limit) / self.unit, np.float32)

    def probabilities(self, unusual: FloatArray) -> FloatArray:
        """Return (N, 2): that images are good, and that they are anomalies; one half at the limit."""
        odds = self.slope * (self.score(unusual) - 1)
        anomaly = 1 / (1 + np.exp(-odds))
        return np.stack([1 - anomaly, anomaly], axis=1).astype(np.float32)


def fit_slope(limit: float, good: FloatArray, anomalies: FloatArray) -> float:
    """Return the slope with the least log loss, good images and anomalies counting alike.

    Args:
        limit: in spreads.
        good: (N,) how unusual good images are.
        anomalies: (M,) how unusual anomalies are, real or planted.
    """

    def loss(slope: float) -> float:
        scale = ScoreScale(limit, slope)
        hit, missed = scale.probabilities(anomalies)[:, 1], scale.probabilities(good)[:, 0]
        return float(-np.log(np.maximum(hit, TINY)).mean() - np.log(np.maximum(missed, TINY)).mean())

    return min(_SLOPES, key=loss)


def auroc(good: FloatArray, anomalies: FloatArray) -> float:
    """Return the chance that an anomaly (M,) scores above a good image (N,), ties counting half."""
    ordered = np.sort(good)
    below = np.searchsorted(ordered, anomalies, side="left")
    same = np.searchsorted(ordered, anomalies, side="right") - below
    return float((below + same / 2).mean() / len(good))
