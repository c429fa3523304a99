"""Operating points: thresholds with what they keep to, and on which images that was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self, get_args

import numpy as np
from pydantic import BaseModel, Field, model_validator

from eyebright.evaluation.decisions.targets import Figure, OperatingTarget, choose_threshold, parse_target
from eyebright.evaluation.decisions.verdicts import TargetVerdict, judge
from eyebright.evaluation.multiclass.results import metric_json
from eyebright.evaluation.proportions import proportion
from eyebright.runtime.stored import STORED
from eyebright.task.task import task_of
from eyebright.types import BoolArray, FloatArray, IntArray, Interval, JsonObject, Split

_NOTHING = "It takes an image to count. The part holds none of the kind."


@dataclass(frozen=True)
class Labelled:
    """Probabilities (N, K) with the truth, of the images of ``split``, or of some of them.

    Truth is class numbers (N,), or (N, K) of 0 and 1 of a multi-label task. Images that are not independent
    share a number of ``groups`` (N,); None where all are independent.
    """

    probabilities: FloatArray
    truth: IntArray
    split: Split
    groups: IntArray | None = None

    def of_class(self, number: int) -> tuple[FloatArray, BoolArray]:
        """Return a class's probabilities (N,), and whether each image is of it."""
        return self.probabilities[:, number], task_of(self.truth).positive(self.truth, number)


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


class StoredThreshold(BaseModel):
    """What :meth:`Threshold.to_json` wrote, read back."""

    model_config = STORED

    target: str
    label: str = Field(alias="class")
    threshold: float
    met: bool
    chosen_on: str
    chosen_value: float

    @model_validator(mode="after")
    def _one_class(self) -> Self:
        if parse_target(self.target).label != self.label:
            raise ValueError("the target is of another class")
        return self


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, checked on the images that are reported; None where the part has no image to count.

    Attributes:
        threshold: with its target.
        split: the part that it was checked on.
        figures: recall, precision, specificity and false positive rate of the answers there.
        verdict: whether the target is met there.
        answered: the share of the images for which the class is answered.
        answered_without: the same without targets.
    """

    threshold: Threshold
    split: Split
    figures: dict[Figure, Interval | None]
    verdict: TargetVerdict
    answered: Interval
    answered_without: float

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
            **self.verdict.to_json(),
            "answered": asdict(self.answered),
            "answered_without": self.answered_without,
        }


@dataclass(frozen=True)
class Answers:
    """For which of N images a class is answered: with the targets (N,), and without any (N,)."""

    given: BoolArray
    without: BoolArray


def choose(
    targets: Sequence[OperatingTarget], scores: FloatArray, positive: BoolArray, chosen_on: str
) -> list[Threshold]:
    """Select the threshold for targets of one class on images with probabilities ``scores`` (N,) of it."""
    value = choose_threshold(targets, scores, positive)
    found = []
    for target in targets:
        counted = counted_by(target.figure, scores >= value, positive)
        reached = float(counted.hit.mean()) if len(counted.hit) else 0.0
        met = bool(len(counted.hit)) and bool(target.met_by(np.array([reached]))[0])
        found.append(Threshold(target, value, met, reached, chosen_on))
    return found


def check(
    threshold: Threshold,
    answers: Answers,
    positive: BoolArray,
    split: Split,
    *,
    groups: IntArray | None = None,
    seed: int = 0,
) -> OperatingPoint:
    """Measure the threshold on other images, with 95 % intervals over images, or over groups of them.

    Args:
        threshold: with its target.
        answers: for which of the N images its class is answered.
        positive: (N,) whether the images are of the class.
        split: that they are of.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
        seed: of the bootstrap over groups.
    """
    counted = {figure: counted_by(figure, answers.given, positive, groups) for figure in get_args(Figure)}
    own = counted[threshold.target.figure]
    return OperatingPoint(
        threshold,
        split,
        {f: proportion(c.hit, c.groups, seed=seed) if len(c.hit) else None for f, c in counted.items()},
        judge(threshold.target, own.hit, own.groups, seed=seed),
        proportion(answers.given, groups, seed=seed),
        float(answers.without.mean()),
    )


@dataclass(frozen=True)
class Counted:
    """The images that a metric counts: whether each is a hit (n,), and their groups (n,), if any."""

    hit: BoolArray
    groups: IntArray | None


def counted_by(
    figure: Figure, answered: BoolArray, positive: BoolArray, groups: IntArray | None = None
) -> Counted:
    """Return the images that a metric counts, of N for which the class is answered, or that are of it."""
    match figure:
        case "recall":
            among, hit = positive, answered
        case "precision":
            among, hit = answered, positive
        case "specificity":
            among, hit = ~positive, ~answered
        case "false_positive_rate":
            among, hit = ~positive, answered
    return Counted(hit[among], None if groups is None else groups[among])


def stored(entry: StoredThreshold) -> Threshold:
    """Return the threshold that :meth:`Threshold.to_json` wrote."""
    return Threshold(
        parse_target(entry.target), entry.threshold, entry.met, entry.chosen_value, entry.chosen_on
    )
