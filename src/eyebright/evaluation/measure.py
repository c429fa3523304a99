"""Measures the predictions of a split, whatever the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.multiclass.metrics import measure
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.multilabel.metrics import measure_labels
from eyebright.task.task import THRESHOLD, ClassificationTask, MultiLabel
from eyebright.types import FloatArray, IntArray, Split


@dataclass(frozen=True)
class Majority:
    """The most frequent class, or set of labels, and its share: what always predicting it would reach."""

    label: str
    share: float


def majority_of(labels: Sequence[str]) -> Majority:
    """Return the majority of N >= 1 images by their classes, or by their labels as one text each."""
    label, count = min(Counter(labels).items(), key=lambda item: (-item[1], item[0]))
    return Majority(label, count / len(labels))


def measure_split(
    task: ClassificationTask,
    truth: IntArray,
    probabilities: FloatArray,
    labels: Sequence[str],
    split: Split,
    *,
    predicted: IntArray | None = None,
    groups: IntArray | None = None,
    seed: int = 0,
) -> Metrics:
    """Return the metrics of one split with 95 % intervals.

    Args:
        task: which predicts as the model decides.
        truth: (N,) or (N, K), as the task has it.
        probabilities: (N, K).
        labels: K names.
        split: that is measured.
        predicted: (N,) or (N, K) what was predicted; None for what the task predicts.
        groups: (N,) numbers from 0 that images which are not independent share; None where all are.
        seed: of the bootstrap.

    Raises:
        ModelError: a probability is not finite.
    """
    if isinstance(task, MultiLabel):
        thresholds = np.full(len(labels), THRESHOLD) if task.thresholds is None else task.thresholds
        return measure_labels(
            truth, probabilities, thresholds, labels, split, predicted=predicted, groups=groups, seed=seed
        )
    predicted = task.predicted(probabilities) if predicted is None else predicted
    return measure(truth, probabilities, labels, split, groups=groups, predicted=predicted, seed=seed)
