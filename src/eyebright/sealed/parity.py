"""The parity check: the sealed model compared with the training pipeline on the user's own images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.task.task import ClassificationTask
from eyebright.types import FloatArray

LARGEST_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Parity:
    """How far two models' probabilities differ on the same images.

    Attributes:
        images: how many were compared.
        same_class: on how many both predict the same class, or the same labels.
        largest_difference: of any probability of any image.
        mean_difference: over all probabilities of all images.
    """

    images: int
    same_class: int
    largest_difference: float
    mean_difference: float

    @property
    def passed(self) -> bool:
        """Return whether no probability differs by 0.02 or more; then only a tie can change its class."""
        return self.largest_difference < LARGEST_DIFFERENCE


def compare(probabilities: FloatArray, reference: FloatArray, task: ClassificationTask) -> Parity:
    """Compare probabilities (N, K), and what they predict, with a reference (N, K)."""
    difference = np.abs(probabilities - reference)
    equal = task.agree(task.predicted(probabilities), task.predicted(reference))
    return Parity(len(equal), int(equal.sum()), float(difference.max(initial=0)), float(difference.mean()))
