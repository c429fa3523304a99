"""How often a model stays right as images get worse, and what it knows where it sees only part of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from eyebright.data.corruptions import Corruption
from eyebright.evaluation.paired import SIGNIFICANT, holm, mcnemar
from eyebright.evaluation.proportions import proportion
from eyebright.types import BoolArray, IntArray, Interval, JsonObject

# The border suffices where it keeps so much of what the model knows beyond the most frequent class.
_SUFFICES = 0.8


@dataclass(frozen=True)
class Level:
    """Accuracy at one strength of a corruption; ``p`` of chance making it fall so far, adjusted by Holm."""

    strength: float
    accuracy: Interval
    p: float


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every corruption, on the same images.

    Attributes:
        images: how many.
        clean: accuracy on them as they are.
        curves: the levels of each corruption, weak to strong.
    """

    images: int
    clean: Interval
    curves: Mapping[Corruption, Sequence[Level]]

    @property
    def worst(self) -> tuple[Corruption, Level] | None:
        """Return the corruption that costs most over its strengths, and the level from which on it does.

        None where none makes the model significantly worse.
        """
        fallen = {kind: level for kind in self.curves if (level := self.falls(kind))}
        if not fallen:
            return None
        kind = min(fallen, key=lambda k: sum(level.accuracy.value for level in self.curves[k]))
        return kind, fallen[kind]

    def falls(self, kind: Corruption) -> Level | None:
        """Return the weakest level at which the model is significantly worse.

        None where there is none.
        """
        lower = (level for level in self.curves[kind] if level.accuracy.value < self.clean.value)
        return next((level for level in lower if level.p < SIGNIFICANT), None)

    def to_json(self) -> JsonObject:
        """Return the curves and the worst corruption as `metrics.json` holds them."""
        worst = self.worst
        found = None if worst is None else {"change": worst[0], **asdict(worst[1])}
        return {**asdict(self), "worst": found}


@dataclass(frozen=True)
class Shortcut:
    """Accuracy where only a part of each image is seen.

    Attributes:
        images: how many.
        clean: accuracy where all is seen.
        border, centre: where only that is.
        majority: what always naming the most frequent class would reach.
    """

    images: int
    clean: Interval
    border: Interval
    centre: Interval
    majority: float

    @property
    def suspicious(self) -> bool:
        """Return whether the border alone nearly suffices: then the model may look at the background."""
        known = self.clean.value - self.majority
        beyond = self.border.value - self.majority
        return self.border.low > self.majority and beyond >= _SUFFICES * known


@dataclass(frozen=True)
class RobustnessResult:
    """How a model bears worse images, and whether it looks at the background."""

    robustness: Robustness
    shortcut: Shortcut

    def to_json(self) -> JsonObject:
        """Return both as `metrics.json` holds them."""
        shortcut = {**asdict(self.shortcut), "suspicious": self.shortcut.suspicious}
        return {"robustness": self.robustness.to_json(), "shortcut": shortcut}


def robustness(
    clean: BoolArray,
    right: Mapping[Corruption, Sequence[BoolArray]],
    strengths: Mapping[Corruption, Sequence[float]],
    groups: IntArray | None = None,
) -> Robustness:
    """Measure robustness from whether N images (N,) were correct, as they are and at each strength.

    Images that are not independent share a number of ``groups`` (N,); None where all are independent.
    """
    tests = {kind: [mcnemar(levels, clean, groups) for levels in rows] for kind, rows in right.items()}
    adjusted = iter(holm([p for row in tests.values() for p in row]))
    curves = {
        kind: tuple(
            Level(float(strength), proportion(row, groups), next(adjusted))
            for strength, row in zip(strengths[kind], rows, strict=True)
        )
        for kind, rows in right.items()
    }
    return Robustness(len(clean), proportion(clean, groups), curves)


def shortcut(
    clean: BoolArray, border: BoolArray, centre: BoolArray, truth: IntArray, groups: IntArray | None = None
) -> Shortcut:
    """Measure whether the model was right about N images (N,) of classes ``truth`` (N,)."""
    majority = float(np.bincount(truth).max() / len(truth))
    whole, around, inside = (proportion(right, groups) for right in (clean, border, centre))
    return Shortcut(len(clean), whole, around, inside, majority)
