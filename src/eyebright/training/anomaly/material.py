"""What detectors are fitted on: patch features drawn from good images, and summaries of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.training.anomaly.detector import (
    ImageDetector,
    Method,
    PlaceDetector,
    fit_image_detector,
    fit_place_detector,
    summary_of,
)
from eyebright.training.anomaly.scores import Distances
from eyebright.types import FloatArray, IntArray


@dataclass(frozen=True)
class PatchMaterial:
    """Patch features of N good images, as much of them as detectors need.

    Attributes:
        rows: (n, C) drawn from all images and places.
        means: (P, C) means over the images.
        summaries: (N, 2C), see :func:`~eyebright.training.anomaly.detector.summary_of`.
    """

    rows: FloatArray
    means: FloatArray
    summaries: FloatArray

    @classmethod
    def of(cls, patches: Iterable[FloatArray], images: int, rows: int, seed: int) -> PatchMaterial:
        """Gather material.

        Args:
            patches: (P, C) of each image, as they come.
            images: N, at least 1.
            rows: n.
            seed: of the draw of places.
        """
        random = np.random.default_rng(seed)
        drawn: list[FloatArray] = []
        summaries: list[FloatArray] = []
        total: FloatArray | None = None
        for image in patches:
            places = np.sort(random.permutation(len(image))[: max(1, rows // images)])
            drawn.append(image[places])
            summaries.append(summary_of(image))
            total = image.copy() if total is None else total + image
        if total is None:
            raise ValueError("no image")
        return cls(np.concatenate(drawn), total / np.float32(len(summaries)), np.stack(summaries))

    def place_detector(self, method: Method, points: int, seed: int) -> PlaceDetector:
        """Fit a detector of places; see :func:`~eyebright.training.anomaly.detector.fit_place_detector`."""
        return fit_place_detector(method, self.rows, self.means, points, seed)

    def image_detector(self) -> ImageDetector:
        """Fit the detector of whole images."""
        return fit_image_detector(self.summaries)


@dataclass(frozen=True)
class Detectors:
    """Both detectors, which see an image's places and the whole of it."""

    places: PlaceDetector
    whole: ImageDetector

    def distances(self, patches: FloatArray) -> tuple[FloatArray, float]:
        """Return the distances of the places (P,) and of the whole image, of patch features (P, C)."""
        return self.places.distances(patches), self.whole.distance(summary_of(patches))


def highest(distances: FloatArray, counts: Sequence[int]) -> FloatArray:
    """Return for each count the mean of so many of the highest of distances (P,)."""
    ordered = np.sort(distances)[::-1][: max(counts)]
    sums = np.cumsum(ordered, dtype=np.float64)
    return np.array([sums[count - 1] / count for count in counts], np.float32)


def gathered(found: Sequence[tuple[FloatArray, float]], place: int) -> Distances:
    """Return the distances of images, of which each has the means of its highest for several counts."""
    tops = np.array([tops[place] for tops, _ in found], np.float32)
    return Distances(tops, np.array([whole for _, whole in found], np.float32))


def folds_of(count: int, folds: int, seed: int) -> IntArray:
    """Return fold numbers (N,) of images."""
    return np.random.default_rng(seed).permutation(count) % min(folds, count)
