"""The data set under examination, as every part of an audit is given it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eyebright.auditing.material import Material
from eyebright.data.manifest import Sample
from eyebright.task.task import ClassificationTask
from eyebright.types import IntArray

#: Fewer images than this say nothing about wrong labels and outliers.
FEWEST_IMAGES = 40


@dataclass(frozen=True)
class AuditSubject:
    """Images, their labels, and what is known to belong together.

    Attributes:
        material: features and records of N images.
        task: of the labels.
        labels: the K classes in the order of their numbers.
        truth: (N,) class numbers, or (N, K) answers.
        copies: (N,) numbers that copies share.
        groups: (N,) numbers that copies and images of one group share.
        parts: whether the data itself says which images train and which evaluate.
        seed: of all that is drawn.
    """

    material: Material
    task: ClassificationTask
    labels: Sequence[str]
    truth: IntArray
    copies: IntArray
    groups: IntArray
    parts: bool
    seed: int

    @property
    def samples(self) -> Sequence[Sample]:
        """Return the images."""
        return self.material.samples

    @cached_property
    def distinct(self) -> IntArray:
        """Return the places of the images, one of each set of copies."""
        return np.unique(self.copies, return_index=True)[1]

    def paths(self, places: IntArray) -> tuple[str, ...]:
        """Return the paths of images."""
        return tuple(self.samples[place].path for place in places.tolist())
