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
from eyebright.training.linear_probe.linear import LinearHead

#: Of so many images it saves more than trying it and proving its answers costs (decision 0049).
MANY = 10_000
#: As much as the parity check lets the sealed model differ.
LARGEST_MOVE = 0.02
# So many of the images are drawn, and those with the least certain answers, which move most, are asked about.
_DRAWN = 1_000
_ASKED = 100


def largest_move(
    extractor: FeatureExtractor,
    head: LinearHead,
    task: ClassificationTask,
    root: Path,
    samples: Sequence[Sample],
    seed: int,
) -> float:
    """Return how far float32 features move a probability of the head at most, on images that it learned from.

    Args:
        extractor: of the features that the head learned from; the cache holds those of ``samples``.
        head: that learned from them.
        task: multi-class or multi-label.
        root: of the images.
        samples: that the head learned from.
        seed: of the draw.
    """
    places = np.random.default_rng(seed).permutation(len(samples))[:_DRAWN]
    drawn = picked(samples, np.sort(places))
    answers = task.probabilities(head.logits(extractor.read(drawn, extractor.taps)))
    certain = -(answers * (1 - answers)).sum(axis=1)
    asked = picked(drawn, np.sort(np.argsort(certain, kind="stable")[:_ASKED]))
    exact = extractor.in_float32()
    with SILENT.task("", total=len(asked)) as progress:
        exact.compute(root, asked, progress)
    gone = {sample.key for sample in exact.missing(asked)}  # from the disk, since
    asked = [sample for sample in asked if sample.key not in gone]
    first, second = (
        task.probabilities(head.logits(other.read(asked, other.taps))) for other in (extractor, exact)
    )
    return float(np.abs(first - second).max(initial=0))
