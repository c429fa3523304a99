"""Detectors: how unusual each place of an image is, and the image as a whole.

* A *memory bank* keeps patch features of good images, reduced to a coreset; a place is as unusual as the
  nearest of them is far (PatchCore, Roth et al. 2022). *Whitened*, what varies together on good images counts
  once, and what hardly varies counts the more: that finds small defects in rough textures.
* A *Gaussian by place* keeps a mean for each place and the covariance of all; a place is as unusual as its
  Mahalanobis distance says (after PaDiM, Defard et al. 2021), which suits parts that always lie alike.
* The *whole image* is the mean and the standard deviation of its places, likewise by a Mahalanobis distance:
  what changes everywhere a little, such as another weave, is no anomaly of any place.

All three are distances to stored points in a space of their own, so one small graph computes each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eyebright.training.anomaly.coreset import greedy_coreset
from eyebright.types import FloatArray

Method = Literal["whitened memory bank", "memory bank", "gaussian by place"]

# Of the mean spread, the least that counts: of features that never move on good images.
_FLOOR = 1e-4
_PLACE_SHRINKAGE = 0.1
#: Below every distance, so that its logarithm is a number.
TINY = 1e-6


@dataclass(frozen=True)
class PlaceDetector:
    """Distances of places to the nearest of stored points.

    Attributes:
        method: how it came about.
        shift: (C,) taken from patch features first.
        scale: (C, D) that they are then multiplied by.
        points: (M, D), of which the nearest counts; by place (P, D), of which each has its own.
    """

    method: Method
    shift: FloatArray
    scale: FloatArray
    points: FloatArray

    @property
    def by_place(self) -> bool:
        """Return whether each place has a point of its own."""
        return self.method == "gaussian by place"

    def distances(self, patches: FloatArray) -> FloatArray:
        """Return how unusual each place is, (P,), of patch features (P, C)."""
        rows = (patches - self.shift) @ self.scale
        if self.by_place:
            squares = np.square(rows - self.points).sum(axis=1)
        else:
            products = rows @ self.points.T
            offsets = np.square(self.points).sum(axis=1)
            squares = np.square(rows).sum(axis=1) + (offsets - 2 * products).min(axis=1)
        return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)


@dataclass(frozen=True)
class ImageDetector:
    """Mahalanobis distance of a whole image: the mean and standard deviation of its places.

    Attributes:
        shift: (2C,).
        scale: (2C, D) whose rows turn what is left into independent numbers of unit variance.
    """

    shift: FloatArray
    scale: FloatArray

    def distance(self, summary: FloatArray) -> float:
        """Return how unusual an image with a summary (2C,) is."""
        return float(np.linalg.norm((summary - self.shift) @ self.scale))


def summary_of(patches: FloatArray) -> FloatArray:
    """Return the mean and the standard deviation (2C,) of patch features (P, C) over the places."""
    return np.concatenate([patches.mean(axis=0), patches.std(axis=0)])


def fit_place_detector(
    method: Method, rows: FloatArray, means: FloatArray, points: int, seed: int
) -> PlaceDetector:
    """Fit a detector of places on good images.

    Args:
        method: which.
        rows: (n, C) patch features drawn from all images and places.
        means: (P, C) means over the images at each place.
        points: M, the largest memory bank.
        seed: of the coreset's projection.
    """
    shift = rows.mean(axis=0)
    if method == "memory bank":
        spread = rows.std(axis=0)
        scale = np.diag(1 / np.maximum(spread, _FLOOR * (spread.mean() or 1))).astype(np.float32)
    else:
        scale = whitening(rows - shift, _PLACE_SHRINKAGE)
    if method in ("memory bank", "whitened memory bank"):
        moved = (rows - shift) @ scale
        return PlaceDetector(method, shift, scale, moved[greedy_coreset(moved, points, seed)])
    return PlaceDetector(method, shift, scale, ((means - shift) @ scale).astype(np.float32))


def fit_image_detector(summaries: FloatArray) -> ImageDetector:
    """Fit the detector of whole images on summaries (N, 2C) of good ones."""
    shift = summaries.mean(axis=0)
    return ImageDetector(shift, whitening(summaries - shift, _shrinkage(summaries - shift)))


def whitening(centred: FloatArray, shrinkage: float) -> FloatArray:
    """Return (C, C) that gives centred rows (N, C) unit covariance, correlations shrunk towards none."""
    variances = centred.var(axis=0, dtype=np.float64)
    spread = np.sqrt(variances + _FLOOR * (variances.mean() or 1))
    scaled = centred / spread
    correlation = scaled.T @ scaled / len(scaled)
    shrunk = (1 - shrinkage) * correlation + shrinkage * np.eye(len(correlation))
    values, vectors = np.linalg.eigh(shrunk)
    whole = (vectors / spread[:, None]) / np.sqrt(np.maximum(values, shrinkage))
    return np.asarray(whole, np.float32)


def _shrinkage(centred: FloatArray) -> float:
    """Return how much correlations of few rows (N, C) are to be shrunk (Ledoit and Wolf 2004)."""
    scaled = centred / np.maximum(centred.std(axis=0), TINY)
    count, width = scaled.shape
    correlation = scaled.T @ scaled / count
    # The mean squared norm of the rows' outer products, less that of their mean.
    noise = (np.square(np.square(scaled).sum(axis=1)).mean() - np.square(correlation).sum()) / count
    away = np.square(correlation - np.eye(width)).sum()
    return float(np.clip(noise / max(away, TINY), 0.01, 0.9))
