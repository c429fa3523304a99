"""How two models' answers to the same images differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.paired import accuracy_difference
from eyebright.task.task import task_at
from eyebright.types import FloatArray, IntArray, Interval, UInt8Array


@dataclass(frozen=True)
class Originals:
    """The original's answers on the images of the comparison.

    Attributes:
        probabilities: (N, K).
        truth: (N,) class numbers, or (N, K) where an image may have several labels.
        pixels: gives the N decoded images (H, W, 3), in order, each time anew.
        split: the part that they are from.
        thresholds: (K,) from which on a label is named, where an image may have several; else None.
    """

    probabilities: FloatArray
    truth: IntArray
    pixels: Callable[[], Iterator[UInt8Array]]
    split: str
    thresholds: Float64Array | None = None


@dataclass(frozen=True)
class Comparison:
    """An export's answers beside its original's.

    Attributes:
        images, split: how many images were compared, and of which part.
        agreement: share of them on which both name the same class, or the same labels.
        accuracy, accuracy_original: of the export and of the original.
        accuracy_difference: export less original, paired, with its 95 % interval.
        max_difference, mean_difference: of the probabilities.
    """

    images: int
    split: str
    agreement: float
    accuracy: float
    accuracy_original: float
    accuracy_difference: Interval
    max_difference: float
    mean_difference: float

    @classmethod
    def of(cls, answers: FloatArray, originals: Originals) -> Comparison:
        """Compares probabilities (N, K)."""
        task = task_at(originals.thresholds)
        named, before = task.predicted(answers), task.predicted(originals.probabilities)
        right, right_before = task.agree(named, originals.truth), task.agree(before, originals.truth)
        difference = np.abs(answers - originals.probabilities)
        return cls(
            images=len(answers),
            split=originals.split,
            agreement=float(task.agree(named, before).mean()),
            accuracy=float(right.mean()),
            accuracy_original=float(right_before.mean()),
            accuracy_difference=accuracy_difference(right, right_before),
            max_difference=float(difference.max()),
            mean_difference=float(difference.mean()),
        )
