"""A head on labelled and unlabelled images: what the labels say of all images becomes soft labels of a head.

The head of the labelled images alone gives the first soft labels. A discriminant on these knows how the
images scatter within the classes, which a handful of labelled ones cannot tell. In its view of the images,
beside their whitened features, labels are spread among nearest neighbours; both together give the soft labels
of the next discriminant, whose view is better. The fourth one is returned. Each step is convex or a fixed
number of sparse products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.auditing.neighbours import unit
from eyebright.few_labels.spreading import neighbour_graph, spread
from eyebright.task.logits import softmax
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.lda import SCALES, soft_discriminant
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.pca import (
    Directions,
    principal_directions,
    standardise,
    unstandardised,
)
from eyebright.types import FloatArray, IntArray

#: Principal directions of all images that the head is solved in.
_RANK = 512
# Those that neighbours are looked for in, each divided by the root of its deviation: half way to whitening.
_WHITENED, _WHITENING = 128, 0.5
# Power of the soft labels: without it they grow less certain with every step.
_SHARPNESS = 3.0
_PASSES = 3
_KEPT, _ROUNDS, _FLOOR = 0.95, 100, 0.02
_LEAST = 1e-6
_LEAST_LOGIT = 1e-4


@dataclass(frozen=True)
class ImageSpace:
    """N images, labelled and unlabelled, in their common principal directions.

    Attributes:
        rows: (N, R).
        whitened: (N, W), of unit length.
        directions: R, in the space of features.
        mean, scale: (D,) that standardise features.
    """

    rows: FloatArray
    whitened: FloatArray
    directions: Directions
    mean: FloatArray
    scale: FloatArray

    @classmethod
    def fit(cls, features: Rows, seed: int) -> ImageSpace:
        """Return the space of features (N, D)."""
        rows, mean, scale = standardise(features)
        rows, directions = principal_directions(rows, min(_RANK, *rows.shape), seed)
        deviation = np.sqrt(np.maximum(np.square(rows).mean(axis=0), 1e-12))
        white = rows[:, :_WHITENED] / deviation[:_WHITENED] ** _WHITENING
        return cls(rows, unit(white), directions, mean, scale)

    def head(self, coefficients: FloatArray) -> LinearHead:
        """Return the head on raw features of coefficients (R + 1, K) in the directions."""
        return unstandardised(coefficients, self.directions, self.mean, self.scale)


def soft_head(
    space: ImageSpace, among: IntArray, probabilities: FloatArray, places: IntArray, truth: IntArray
) -> FloatArray:
    """Return coefficients (R + 1, K) of a head on some of the images, whose logits are of a usual size.

    Args:
        space: of N images.
        among: (M,) places of the images to learn from.
        probabilities: (N, K) that the head of the labelled images gives.
        places: (n,) of the labelled ones among the M.
        truth: (n,) their classes.
    """
    rows = space.rows[among]
    # As the labels have them: no fold may lack a class that others have.
    frequencies = np.bincount(truth, minlength=probabilities.shape[1]).astype(np.float64)
    frequencies /= frequencies.sum()

    def learned(soft: FloatArray) -> FloatArray:
        soft = _known(_sharpened(soft), places, truth)
        return _scaled(soft_discriminant(rows, soft, frequencies), rows, soft)

    given = _known(np.zeros((len(among), len(frequencies)), np.float32), places, truth)
    coefficients = learned(probabilities[among])
    for _ in range(_PASSES):
        soft = _softmax_of(rows, coefficients)
        view = np.log(np.maximum(soft, _LEAST_LOGIT))
        view -= view.mean(axis=1, keepdims=True)
        graph = neighbour_graph(unit(np.hstack([unit(view), space.whitened[among]])))
        shares = spread(graph, given, kept=_KEPT, rounds=_ROUNDS, floor=_FLOOR)
        coefficients = learned(np.sqrt(np.maximum(soft, _LEAST) * shares))
    return coefficients


def _known(soft: FloatArray, places: IntArray, truth: IntArray) -> FloatArray:
    """Return soft labels (M, K) with the labels of those that have one."""
    found = soft.copy()
    found[places] = 0
    found[places, truth] = 1
    return found


def _sharpened(soft: FloatArray) -> FloatArray:
    powers = np.maximum(soft, _LEAST) ** _SHARPNESS
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _scaled(coefficients: FloatArray, rows: FloatArray, soft: FloatArray) -> FloatArray:
    """Return the coefficients over the scale at which their probabilities are nearest to the soft labels."""
    logits = rows @ coefficients[:-1] + coefficients[-1]

    def loss(scale: float) -> float:
        return -float((soft * np.log(np.maximum(softmax(logits, scale), _LEAST))).sum(dtype=np.float64))

    return np.asarray(coefficients / np.float32(min(SCALES, key=loss)), np.float32)


def _softmax_of(rows: FloatArray, coefficients: FloatArray) -> FloatArray:
    return softmax(rows @ coefficients[:-1] + coefficients[-1], 1.0)
