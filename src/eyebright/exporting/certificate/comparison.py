"""How two models' predictions for the same images differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.paired import accuracy_difference
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.types import BoolArray, FloatArray, IntArray, Interval, UInt8Array

# OOD scores have their limit near 1, and typical images near 0.
_NEAR = 0.01


@dataclass(frozen=True)
class ReferencePredictions:
    """The original's predictions for the compared images.

    Attributes:
        probabilities: (N, K).
        truth: (N,) class numbers, or (N, K) if multi-label.
        pixels: returns the N decoded images (H, W, 3), in order, each time anew.
        split: of the images.
        decisions: of the original, by which it answers.
        scores: OOD scores (N,); None of a model that gives none.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
    """

    probabilities: FloatArray
    truth: IntArray
    pixels: Callable[[], Iterator[UInt8Array]]
    split: str
    decisions: Decisions
    scores: FloatArray | None = None
    groups: IntArray | None = None

    @property
    def near_limit(self) -> BoolArray:
        """Return (N,) whether an image's OOD score is so near to its limit that rounding decides."""
        limit = self.decisions.limit
        if self.scores is None or limit is None:
            return np.zeros(len(self.probabilities), np.bool_)
        return np.asarray(np.abs(self.scores - limit) <= _NEAR)


@dataclass(frozen=True)
class ExportedPredictions:
    """An export's predictions for the compared images.

    Attributes:
        probabilities: (N, K).
        answers: (N,) or (N, K), as the export itself gives them; None of a format that holds probabilities
            alone.
    """

    probabilities: FloatArray
    answers: IntArray | None = None


@dataclass(frozen=True)
class ExportComparison:
    """An export's predictions compared with its original's.

    Attributes:
        images, split: how many images were compared, and of which split.
        agreement: share of them on which both predict the same class or labels, also of an unknown image, and
            give the same answer. Where the export gives none, or the OOD score lies within a hundredth of its
            limit, what is unknown does not count.
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
    def of(cls, found: ExportedPredictions, reference: ReferencePredictions) -> ExportComparison:
        """Compare predictions with the original's."""
        probabilities, decisions = found.probabilities, reference.decisions
        task = decisions.task
        predicted, before = task.predicted(probabilities), task.predicted(reference.probabilities)
        agree = task.agree(predicted, before)
        if found.answers is not None:
            answers = decisions.answer(reference.probabilities, reference.scores)
            agree &= reference.near_limit | task.agree(found.answers, answers)
        correct, correct_before = task.agree(predicted, reference.truth), task.agree(before, reference.truth)
        difference = np.abs(probabilities - reference.probabilities)
        return cls(
            images=len(probabilities),
            split=reference.split,
            agreement=float(agree.mean()),
            accuracy=float(correct.mean()),
            accuracy_original=float(correct_before.mean()),
            accuracy_difference=accuracy_difference(correct, correct_before, reference.groups),
            max_difference=float(difference.max()),
            mean_difference=float(difference.mean()),
        )
