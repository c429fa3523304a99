"""What a comparison found: the runs, their differences, and the images that they predict differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.paired import Difference
from eyebright.types import IntArray, Interval, Split
from eyebright.verbs.compare.corrections import Corrections


@dataclass(frozen=True)
class ComparedRun:
    """One run: its name and folder, the split it was evaluated on, and its metrics on the common images."""

    name: str
    path: str
    split: Split
    accuracy: Interval
    log_loss: Interval


@dataclass(frozen=True)
class ChangedPrediction:
    """An image that the runs predict differently.

    Attributes:
        root: folder under which all of them lie.
        path: below that.
        label: the true class.
        answers: (R,) what each run predicted, and its confidence.
    """

    root: Path
    path: str
    label: str
    answers: Sequence[tuple[str, float]]

    @property
    def right(self) -> list[bool]:
        """Return whether each run was right."""
        return [predicted == self.label for predicted, _ in self.answers]

    @property
    def decided(self) -> bool:
        """Return whether at least one run was right; one was not, for they differ."""
        return any(self.right)


@dataclass(frozen=True)
class ComparisonContent:
    """The runs, images and differences of a comparison.

    Attributes:
        runs: R of them.
        images: N, on which all of them were evaluated.
        left_out: (R,) images of each run on which another was not evaluated.
        differences: of every pair of runs.
        labels: (N,) true classes.
        right: (R, N) whether each run predicted each image correctly.
        changed: images that the runs predict differently, the most telling first.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
        corrections: what corrected labels alone change; None where all runs have the same labels.
    """

    runs: Sequence[ComparedRun]
    images: int
    left_out: Sequence[int]
    differences: Sequence[Difference]
    labels: Sequence[str]
    right: npt.NDArray[np.bool_]
    changed: Sequence[ChangedPrediction]
    groups: IntArray | None = None
    corrections: Corrections | None = None

    @property
    def winner(self) -> str | None:
        """Return the run that is significantly more accurate than every other, if any."""
        for i, run in enumerate(self.runs):
            if all(d.better == i for d in self.differences if i in (d.first, d.second)):
                return run.name
        return None
