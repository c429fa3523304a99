"""How often a model stays right as images get worse, and what it knows where it sees only part of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from eyebright.data.corruptions import Corruption
from eyebright.evaluation.intervals import share_of
from eyebright.evaluation.paired import SIGNIFICANT, holm, mcnemar
from eyebright.types import IntArray, Interval, JsonObject

BoolArray = npt.NDArray[np.bool_]

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

    def falls(self, kind: Corruption) -> Level | None:
        """Return the weakest level at which the model is significantly worse.

        None where there is none.
        """
        lower = (level for level in self.curves[kind] if level.accuracy.value < self.clean.value)
        return next((level for level in lower if level.p < SIGNIFICANT), None)


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
        return {"robustness": asdict(self.robustness), "shortcut": shortcut}


def robustness(
    clean: BoolArray,
    right: Mapping[Corruption, Sequence[BoolArray]],
    strengths: Mapping[Corruption, Sequence[float]],
) -> Robustness:
    """Measure robustness from whether N images (N,) were correct, as they are and at each strength."""
    tests = {kind: [mcnemar(levels, clean) for levels in rows] for kind, rows in right.items()}
    adjusted = iter(holm([p for row in tests.values() for p in row]))
    curves = {
        kind: tuple(
            Level(float(strength), proportion(row), next(adjusted))
            for strength, row in zip(strengths[kind], rows, strict=True)
        )
        for kind, rows in right.items()
    }
    return Robustness(len(clean), proportion(clean), curves)


def shortcut(clean: BoolArray, border: BoolArray, centre: BoolArray, truth: IntArray) -> Shortcut:
    """Measure whether the model was right about N images (N,) of classes ``truth`` (N,)."""
    majority = float(np.bincount(truth).max() / len(truth))
    return Shortcut(len(clean), proportion(clean), proportion(border), proportion(centre), majority)


def proportion(right: BoolArray) -> Interval:
    """Return the share of correct predictions (N,), with Wilson's interval."""
    return share_of(int(right.sum()), len(right))
