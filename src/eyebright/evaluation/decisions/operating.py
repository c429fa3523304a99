"""Operating points: thresholds with what they keep to, and on which images that was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict, get_args

import numpy as np

from eyebright.evaluation.decisions.targets import (
    Figure,
    OperatingTarget,
    choose_threshold,
    counts_of,
    parse_target,
)
from eyebright.evaluation.intervals import hull, pair, wilson
from eyebright.evaluation.multiclass.ranking import BoolArray
from eyebright.evaluation.multiclass.results import metric_json
from eyebright.task.task import task_of
from eyebright.types import FloatArray, IntArray, Interval, JsonObject, Split

_NOTHING = "It takes an image to count. The part holds none of the kind."


@dataclass(frozen=True)
class Labelled:
    """Probabilities (N, K) with the truth, of the images of ``split``, or of some of them.

    Truth is class numbers (N,), or (N, K) of 0 and 1 of a multi-label task.
    """

    probabilities: FloatArray
    truth: IntArray
    split: Split

    def of_class(self, number: int) -> tuple[FloatArray, BoolArray]:
        """Return a class's probabilities (N,), and whether each image is of it."""
        return self.probabilities[:, number], task_of(self.truth).positive(self.truth, number)


class StoredThreshold(TypedDict):
    """A :class:`Threshold` as JSON, in the metadata of sealed models and in `metrics.json`."""

    target: str
    threshold: float
    met: bool
    chosen_on: str
    chosen_value: float


@dataclass(frozen=True)
class Threshold:
    """A target with the threshold that was chosen for it.

    Attributes:
        target: that was given.
        value: the class is answered where its probability is at least this.
        met: whether the images that it was chosen on keep to the target.
        chosen: what the figure was on them.
        chosen_on: which they are: "val", or "train" for the training split's held-out folds.
    """

    target: OperatingTarget
    value: float
    met: bool
    chosen: float
    chosen_on: str

    def to_json(self) -> JsonObject:
        """Return what the sealed model's metadata carry."""
        return {
            "target": str(self.target),
            "class": self.target.label,
            "threshold": self.value,
            "met": self.met,
            "chosen_on": self.chosen_on,
            "chosen_value": self.chosen,
        }


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, checked on the images that are reported; None where the part has no image to count.

    Attributes:
        threshold: with its target.
        split: the part that it was checked on.
        figures: recall, precision, specificity and false positive rate there.
    """

    threshold: Threshold
    split: Split
    figures: dict[Figure, Interval | None]

    @property
    def value(self) -> Interval | None:
        """Return the metric that the target constrains."""
        return self.figures[self.threshold.target.figure]

    def to_json(self) -> JsonObject:
        """Return the point as `metrics.json` holds it."""
        return {
            **self.threshold.to_json(),
            "split": self.split,
            **metric_json(self.value, _NOTHING),
            "figures": {name: metric_json(i, _NOTHING) for name, i in self.figures.items()},
        }


def choose(target: OperatingTarget, scores: FloatArray, positive: BoolArray, chosen_on: str) -> Threshold:
    """Select the threshold for a target on images with probabilities ``scores`` (N,) of its class."""
    value, met = choose_threshold(target, scores, positive)
    found = metrics_at(value, scores, positive)[target.figure]
    return Threshold(target, value, met, found.value if found else 0.0, chosen_on)


def check(threshold: Threshold, scores: FloatArray, positive: BoolArray, split: Split) -> OperatingPoint:
    """Measure the threshold on other images, with Wilson's intervals."""
    return OperatingPoint(threshold, split, metrics_at(threshold.value, scores, positive))


def metrics_at(threshold: float, scores: FloatArray, positive: BoolArray) -> dict[Figure, Interval | None]:
    """Return all four metrics of predicting the class from ``threshold`` on.

    None where no image is counted.
    """
    predicted = scores >= threshold
    hits, alarms = np.array([(predicted & positive).sum()]), np.array([(predicted & ~positive).sum()])
    found: dict[Figure, Interval | None] = {}
    for figure in get_args(Figure):
        counted, of = counts_of(figure, hits, alarms, int(positive.sum()), int((~positive).sum()))
        value, total = float(counted[0]), float(of[0])
        found[figure] = hull(value / total, pair(wilson(value, total))) if total else None
    return found


def stored(entry: StoredThreshold) -> Threshold:
    """Return the threshold that :meth:`Threshold.to_json` wrote."""
    return Threshold(
        parse_target(entry["target"]),
        float(entry["threshold"]),
        bool(entry["met"]),
        float(entry["chosen_value"]),
        str(entry["chosen_on"]),
    )
