"""Features of less than float32: for whom they pay, and whether the head answers alike to float32 ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eyebright.data.manifest import Sample
from eyebright.runtime.compact.rows import picked
from eyebright.runtime.progress import SILENT
from eyebright.task.task import ClassificationTask
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.head import HeadFit

#: Of so many images it saves more than trying it and proving its answers costs (decision 0049).
MANY = 3_000
#: As much as the parity check lets the sealed model differ.
LARGEST_MOVE = 0.02
_ASKED = 100


def largest_move(
    extractor: FeatureExtractor,
    fit: HeadFit,
    task: ClassificationTask,
    root: Path,
    samples: Sequence[Sample],
) -> float:
    """Return how far float32 features move a probability at most, on the 100 images of least certain ones.

    Args:
        extractor: of the features that the head learned from; the cache holds those of ``samples``.
        fit: the head that learned from them.
        task: multi-class or multi-label.
        root: of the images.
        samples: that the head learned from, N.
    """
    held_out = task.probabilities(fit.held_out)
    certain = -(held_out * (1 - held_out)).sum(axis=1)
    asked = picked(samples, np.sort(np.argsort(certain, kind="stable")[:_ASKED]))
    exact = extractor.in_float32()
    with SILENT.task("", total=len(asked)) as progress:
        exact.compute(root, asked, progress)
    gone = {sample.key for sample in exact.missing(asked)}  # from the disk, since
    asked = [sample for sample in asked if sample.key not in gone]
    first, second = (
        task.probabilities(fit.head.logits(other.read(asked, other.taps))) for other in (extractor, exact)
    )
    return float(np.abs(first - second).max(initial=0))
