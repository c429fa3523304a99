"""What corrected labels alone change: how accurate each run is by the earlier labels and by the corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.paired import accuracy_difference
from eyebright.evaluation.proportions import proportion
from eyebright.types import BoolArray, IntArray, Interval
from eyebright.verbs.compare.paired_images import PairedImages


@dataclass(frozen=True)
class Corrections:
    """Labels that one run corrected, by which all runs are compared.

    Attributes:
        images: whose labels were corrected.
        before: (R,) accuracy by the earlier labels.
        moved: (R,) how much accuracy by the corrected labels is higher, paired; no model changes in between.
    """

    images: int
    before: Sequence[Interval]
    moved: Sequence[Interval]


def correct(common: PairedImages, labels: Sequence[str]) -> BoolArray:
    """Return (R, N) whether each run predicted the label of each image."""
    return np.array(
        [[row.predicted == label for row, label in zip(rows, labels, strict=True)] for rows in common.rows]
    )


def corrections(common: PairedImages, groups: IntArray | None) -> Corrections | None:
    """Return what the corrected labels change; None where all runs have the same labels.

    Args:
        common: the images of R runs.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
    """
    count = len(common.labels) - int(common.agreed.sum())
    if not count:
        return None
    earlier = [
        next((row.label for row in rows if row.label != label), label)
        for *rows, label in zip(*common.rows, common.labels, strict=True)
    ]
    before, after = correct(common, earlier), correct(common, common.labels)
    return Corrections(
        count,
        [proportion(hits, groups) for hits in before],
        [accuracy_difference(now, then, groups) for now, then in zip(after, before, strict=True)],
    )
