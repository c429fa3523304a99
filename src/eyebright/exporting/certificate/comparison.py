"""How two models' predictions for the same images differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.paired import accuracy_difference
from eyebright.task.task import task_at
from eyebright.types import FloatArray, IntArray, Interval, UInt8Array


@dataclass(frozen=True)
class ReferencePredictions:
    """The original's predictions for the compared images.

    Attributes:
        probabilities: (N, K).
        truth: (N,) class numbers, or (N, K) if multi-label.
        pixels: returns the N decoded images (H, W, 3), in order, each time anew.
        split: of the images.
        thresholds: (K,) from which on a label is predicted, if multi-label; else None.
    """

    probabilities: FloatArray
    truth: IntArray
    pixels: Callable[[], Iterator[UInt8Array]]
    split: str
    thresholds: Float64Array | None = None


@dataclass(frozen=True)
class ExportComparison:
    """An export's predictions compared with its original's.

    Attributes:
        images, split: how many images were compared, and of which split.
        agreement: share of them on which both predict the same class, or the same labels.
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
    def of(cls, probabilities: FloatArray, reference: ReferencePredictions) -> ExportComparison:
        """Compare probabilities (N, K) with the original's."""
        task = task_at(reference.thresholds)
        predicted, before = task.predicted(probabilities), task.predicted(reference.probabilities)
        correct, correct_before = task.agree(predicted, reference.truth), task.agree(before, reference.truth)
        difference = np.abs(probabilities - reference.probabilities)
        return cls(
            images=len(probabilities),
            split=reference.split,
            agreement=float(task.agree(predicted, before).mean()),
            accuracy=float(correct.mean()),
            accuracy_original=float(correct_before.mean()),
            accuracy_difference=accuracy_difference(correct, correct_before),
            max_difference=float(difference.max()),
            mean_difference=float(difference.mean()),
        )
