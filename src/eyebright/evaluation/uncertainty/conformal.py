"""Sets of classes that hold the true one as often as was promised, whatever the model is worth.

Split conformal prediction (Vovk, Gammerman and Shafer, 2005). A class's score is how much probability lies
before it, on the likelier classes: adaptive, as of Romano, Sesia and Candès (2020), but up to the class and
without it, so that no set is empty, nothing is drawn, and a model that is sure and right gets sets of one
class. A set holds the classes whose score is at most the threshold, which is a quantile of the true classes'
scores on images that the model did not learn from. Where many scores are 0, because the likeliest class is
right more often than was asked for, sets contain the true class more often than promised, never less.

The same can be kept to by each class for itself (class-conditional, "Mondrian"), with a threshold each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.proportions import proportion
from eyebright.runtime.stored import STORED
from eyebright.types import BoolArray, FloatArray, IntArray, Interval, JsonObject

#: (N, K) which classes sets contain, with one threshold for all classes, and with one for each.
Contained: TypeAlias = tuple[BoolArray, BoolArray]

_EVERYTHING = 1.0  # no class has more probability before it


@dataclass(frozen=True)
class SetRule:
    """How prediction sets are made.

    Attributes:
        coverage: the share of images whose set is to hold the true class.
        threshold: one for all classes.
        class_thresholds: (K,), for the promise to each class.
        per_class: whether that is the promise.
        calibrated_on: the split, "val", or "train" for held-out images of it.
        images: how many they were.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STORED

    coverage: float
    threshold: float
    class_thresholds: tuple[float, ...]
    per_class: bool
    calibrated_on: str
    images: int

    def to_json(self) -> JsonObject:
        """Return what the sealed model's metadata carry."""
        return {
            "method": "adaptive",
            "coverage": self.coverage,
            "per_class": self.per_class,
            "threshold": self.threshold,
            "class_thresholds": list(self.class_thresholds),
            "calibrated_on": self.calibrated_on,
            "images": self.images,
        }

    def sets(self, probabilities: FloatArray, per_class: bool | None = None) -> BoolArray:
        """Return (N, K) which classes the prediction sets contain, for probabilities (N, K)."""
        per_class = self.per_class if per_class is None else per_class
        limits = self.class_thresholds if per_class else self.threshold
        return np.asarray(mass_before(probabilities) <= np.asarray(limits))

    def both(self, probabilities: FloatArray) -> Contained:
        """Return what the sets contain by either promise, for probabilities (N, K)."""
        return self.sets(probabilities, False), self.sets(probabilities, True)


@dataclass(frozen=True)
class SetFigures:
    """How sets turn out on the images that are reported.

    Attributes:
        measured: share of images whose set holds the true class.
        mean_size: classes of a set.
        classes: (K,) the share for each class's images, None of a class without an image.
        class_sizes: (K,) the mean size of their sets.
        images: (K,) how many.
    """

    measured: Interval
    mean_size: float
    classes: tuple[Interval | None, ...]
    class_sizes: tuple[float | None, ...]
    images: tuple[int, ...]


def mass_before(probabilities: FloatArray) -> Float64Array:
    """Return (N, K) how much probability lies on more probable classes.

    Of equal ones the first counts as more probable.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1).astype(np.float64)
    before = np.cumsum(ranked, axis=1) - ranked
    found = np.empty_like(before)
    np.put_along_axis(found, order, np.minimum(before, _EVERYTHING), axis=1)
    return found


def calibrate(
    probabilities: FloatArray, truth: IntArray, coverage: float, per_class: bool, part: str
) -> SetRule:
    """Return the rule that guarantees a coverage.

    A class with too few images for it (fewer than 9 at 0.9) is in every set of the class-conditional kind.

    Args:
        probabilities: (N, K), of images that the model did not learn from and that are not reported.
        truth: (N,) their classes.
        coverage: between 0 and 1.
        per_class: what :class:`SetRule` is to follow.
        part: which images they are.
    """
    scores = mass_before(probabilities)[np.arange(len(truth)), truth]
    classes = range(probabilities.shape[1])
    return SetRule(
        coverage,
        quantile(scores, coverage),
        tuple(quantile(scores[truth == k], coverage) for k in classes),
        per_class,
        part,
        len(truth),
    )


def quantile(scores: npt.NDArray[np.floating], coverage: float, beyond: float = _EVERYTHING) -> float:
    """Return the limit that a new score keeps with probability ``coverage``; ``beyond`` of too few scores.

    With n scores, the ⌈(n + 1) coverage⌉-th smallest: a new score is as likely to fall anywhere among them.
    """
    place = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return beyond if place > len(scores) else float(np.sort(scores)[max(place, 1) - 1])


def measure_sets(sets: BoolArray, truth: IntArray, groups: IntArray | None = None) -> SetFigures:
    """Measure prediction sets (N, K) with 95 % intervals, N being 1 or more.

    Images that are not independent share a number of ``groups`` (N,); None where all are independent.
    """
    sizes = sets.sum(axis=1)
    hit = sets[np.arange(len(truth)), truth]
    images = np.bincount(truth, minlength=sets.shape[1])
    classes = [truth == k for k in range(sets.shape[1])]
    return SetFigures(
        proportion(hit, groups),
        float(sizes.mean()),
        tuple(
            proportion(hit[c], None if groups is None else groups[c]) if c.any() else None for c in classes
        ),
        tuple(float(sizes[c].mean()) if c.any() else None for c in classes),
        tuple(int(n) for n in images),
    )
