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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.proportions import proportion
from eyebright.runtime.compact.table import by_rows
from eyebright.runtime.stored import STORED
from eyebright.types import BoolArray, FloatArray, IntArray, Interval, JsonObject

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
        return self._within(mass_before(probabilities), self.per_class if per_class is None else per_class)

    def _within(self, mass: Float64Array, per_class: bool) -> BoolArray:
        """Return (N, K) which classes have so little mass (N, K) before them that a set contains them."""
        return np.asarray(mass <= np.asarray(self.class_thresholds if per_class else self.threshold))

    def outcomes(self, probabilities: FloatArray, truth: IntArray) -> BothOutcomes:
        """Return how sets turn out by either promise, for probabilities (N, K) and true classes (N,)."""

        def some(rows: FloatArray, own: IntArray) -> IntArray:
            mass = mass_before(rows)
            found = (SetOutcomes.of(self._within(mass, per_class), own) for per_class in (False, True))
            return np.stack([column for one in found for column in (one.sizes, one.hit)], axis=1)

        table = by_rows(some, probabilities, truth)
        one, other = (SetOutcomes(table[:, i], table[:, i + 1] > 0) for i in (0, 2))
        return one, other


@dataclass(frozen=True)
class SetOutcomes:
    """How the prediction sets of N images turned out.

    Attributes:
        sizes: (N,) classes of each set.
        hit: (N,) whether it holds the true class.
    """

    sizes: IntArray
    hit: BoolArray

    @classmethod
    def of(cls, sets: BoolArray, truth: IntArray) -> SetOutcomes:
        """Return the outcomes of sets (N, K) of images of these classes (N,)."""
        return cls(sets.sum(axis=1), sets[np.arange(len(truth)), truth])

    @classmethod
    def joined(cls, parts: Sequence[SetOutcomes]) -> SetOutcomes:
        """Return the outcomes of several parts, one behind the other."""
        return cls(np.concatenate([p.sizes for p in parts]), np.concatenate([p.hit for p in parts]))


#: With one threshold for all classes, and with one for each.
BothOutcomes: TypeAlias = tuple[SetOutcomes, SetOutcomes]


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

    def of_truth(rows: FloatArray, own: IntArray) -> Float64Array:
        return mass_before(rows)[np.arange(len(own)), own]

    scores = by_rows(of_truth, probabilities, truth)
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


def measure_sets(
    outcomes: SetOutcomes, truth: IntArray, classes: int, groups: IntArray | None = None
) -> SetFigures:
    """Measure prediction sets with 95 % intervals.

    Args:
        outcomes: of N images, at least one.
        truth: (N,) their classes.
        classes: K.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
    """
    sizes, hit = outcomes.sizes, outcomes.hit
    images = np.bincount(truth, minlength=classes)
    shares: list[Interval | None] = [None] * classes
    means: list[float | None] = [None] * classes
    for k in np.flatnonzero(images).tolist():
        own = truth == k
        shares[k] = proportion(hit[own], None if groups is None else groups[own])
        means[k] = float(sizes[own].mean())
    return SetFigures(
        proportion(hit, groups), float(sizes.mean()), tuple(shares), tuple(means), tuple(images.tolist())
    )
