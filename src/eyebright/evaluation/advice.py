"""Advice: what a model can be relied on for, and which steps would help most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eyebright.evaluation.intervals import share_of
from eyebright.evaluation.multiclass.results import ClassMetrics, Metrics, PredictionRow
from eyebright.evaluation.proportions import proportion
from eyebright.types import IntArray, Interval

#: A class is trusted where even the lower end of its recall and precision is above this, and doubted where
#: the upper end of its recall is below.
TRUSTED, DOUBTED = 0.8, 0.8
#: Nothing is claimed of a class with fewer evaluated images.
FEWEST_EVALUATED = 10
#: Answers as sure as this that are wrong are often wrong labels.
SURE = 0.9
_RIGHT = 0.95
_LEVELS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_STEPS = 3
_FEW_IMAGES = 30

StepKind = Literal["labels", "images", "pair", "tune", "judge"]


@dataclass(frozen=True)
class SureAnswers:
    """Answers at least as sure as ``level``: their share of all images, and how many of them are right."""

    level: float
    share: Interval
    right: Interval


@dataclass(frozen=True)
class Step:
    """Something to do next.

    Attributes:
        kind: labels to check, images of a class to add, a pair of classes to tell apart, the backbone to
            fine-tune, or more images to evaluate on.
        mistakes: how many of the mistakes it is about.
        of: how many mistakes there are; for a class its images, to train on or (``judge``) to evaluate on.
        figure: what backs it: the share of the mistakes, of the class that is found, or of all that is right.
        classes: that it is about.
    """

    kind: StepKind
    mistakes: int
    of: int
    figure: Interval
    classes: tuple[str, ...] = ()


def sure_answers(rows: Sequence[PredictionRow]) -> SureAnswers | None:
    """Return the lowest confidence from which on predictions are correct.

    Args:
        rows: of the evaluated split.

    Returns:
        The level at which the interval's lower end is at least 95 of 100; None where none is, or there are
        too few images to say.
    """
    groups = row_groups(rows)
    confidence = np.array([row.confidence for row in rows])
    correct = np.array([row.predicted == row.label for row in rows], bool)
    for level in _LEVELS:
        sure = confidence >= level
        right = proportion(correct[sure], None if groups is None else groups[sure])
        if sure.any() and right.low >= _RIGHT:
            return SureAnswers(level, proportion(sure, groups), right)
    return None


def row_groups(rows: Sequence[PredictionRow]) -> IntArray | None:
    """Return (N,) numbers that rows of one group and copies share; None where no two are related."""
    numbers: dict[str, int] = {}
    names = (row.group or row.sha or f"{place} alone" for place, row in enumerate(rows))
    found = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
    return found if len(numbers) < len(found) else None


def trusted(metrics: Metrics) -> list[ClassMetrics]:
    """Return the classes with reliable recall and precision."""
    return [c for c in well_covered(metrics) if min(c.recall.low, c.precision.low) >= TRUSTED]


def doubted(metrics: Metrics) -> list[ClassMetrics]:
    """Return the classes with significantly low recall, the worst first."""
    return sorted((c for c in well_covered(metrics) if c.recall.high < DOUBTED), key=lambda c: c.recall.value)


def well_covered(metrics: Metrics) -> list[ClassMetrics]:
    """Return the classes with enough evaluated images to say anything of."""
    return [c for c in metrics.per_class if c.support >= FEWEST_EVALUATED]


def next_steps(
    metrics: Metrics,
    rows: Sequence[PredictionRow],
    trained: Mapping[str, int],
    *,
    tunable: bool,
    more_helps: bool | None = None,
) -> list[Step]:
    """Return the three steps that concern the most mistakes, the most useful first.

    Args:
        metrics: of the evaluated split.
        rows: its predictions.
        trained: training images of each class; empty where they are not known.
        tunable: whether the backbone was frozen, so that fine-tuning may still help.
        more_helps: whether the data-size curve still rises, where there is one.
    """
    wrong = [row for row in rows if row.predicted != row.label]
    steps = [
        *_check_labels(wrong),
        *_add_images(metrics, wrong, trained, more_helps=more_helps),
        *_tell_apart(wrong),
        *_fine_tune(metrics, wrong, tunable=tunable, more_helps=more_helps),
    ]
    steps.sort(key=lambda step: -step.mistakes)
    return [*_judge_more(metrics), *steps][:_STEPS]


def _check_labels(wrong: Sequence[PredictionRow]) -> list[Step]:
    sure = [row for row in wrong if row.confidence >= SURE]
    return [Step("labels", len(sure), len(wrong), share_of(len(sure), len(wrong)))] if sure else []


def _add_images(
    metrics: Metrics, wrong: Sequence[PredictionRow], trained: Mapping[str, int], *, more_helps: bool | None
) -> list[Step]:
    """Return the step for the class with most false negatives, unless more images are known not to help."""
    if more_helps is False or not wrong:
        return []
    missed = Counter(row.label for row in wrong)
    weakest = min((c for c in _present(metrics) if missed[c.label]), key=lambda c: (c.recall.value, c.label))
    label = weakest.label
    return [Step("images", missed[label], trained.get(label, 0), weakest.recall, (label,))]


def _tell_apart(wrong: Sequence[PredictionRow]) -> list[Step]:
    """Return the two classes that are confused most, if that is more than a slip."""
    pairs = Counter(tuple(sorted((row.label, row.predicted))) for row in wrong)
    if not pairs:
        return []
    pair, count = pairs.most_common(1)[0]
    telling = count > 1 and len(pairs) > 1
    return [Step("pair", count, len(wrong), share_of(count, len(wrong)), pair)] if telling else []


def _fine_tune(
    metrics: Metrics, wrong: Sequence[PredictionRow], *, tunable: bool, more_helps: bool | None
) -> list[Step]:
    """Return the step for mistakes that more images will not correct, or of which that is unknown."""
    if not tunable or not wrong:
        return []
    share = len(wrong) if more_helps is False else (len(wrong) + 1) // 2
    return [Step("tune", share, len(wrong), metrics.accuracy)]


def _judge_more(metrics: Metrics) -> list[Step]:
    """Return the first step where classes have few images, so that every other metric is a guess."""
    few = [c for c in metrics.per_class if c.support < _FEW_IMAGES]
    if not few:
        return []
    fewest = min(few, key=lambda c: (c.support, c.label))
    return [Step("judge", len(few), fewest.support, fewest.recall, (fewest.label,))]


def _present(metrics: Metrics) -> list[ClassMetrics]:
    return [c for c in metrics.per_class if c.support]
