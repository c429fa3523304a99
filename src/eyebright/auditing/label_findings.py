"""Findings of wrong labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eyebright.auditing.findings import Finding
from eyebright.auditing.labels import CALLED_WRONG, LabelErrors, find_label_errors
from eyebright.auditing.subject import FEWEST_IMAGES, AuditSubject
from eyebright.data.manifest import joined
from eyebright.types import IntArray

_FEWEST_GROUPS = 5  # of a class whose labels are judged


@dataclass(frozen=True)
class JudgedLabels:
    """What was found of the labels of some images: their places (M,), their truth, and its classes."""

    errors: LabelErrors
    places: IntArray
    truth: IntArray
    names: tuple[str, ...]


def judge_labels(subject: AuditSubject) -> JudgedLabels | None:
    """Return how likely labels are wrong; None where there are too few images or classes to say."""
    places = _places_to_judge(subject)
    if len(places) < FEWEST_IMAGES:
        return None
    truth, names = subject.truth[places], tuple(subject.labels)
    if not subject.task.multilabel:
        present, truth = np.unique(truth, return_inverse=True)
        names = tuple(subject.labels[number] for number in present)
        if len(names) < 2:
            return None
    groups = subject.groups[places]
    errors = find_label_errors(subject.material.rows[places], truth, len(names), groups, subject.seed)
    return JudgedLabels(errors, places, truth, names)


def label_findings(subject: AuditSubject, judged: JudgedLabels) -> Iterator[Finding]:
    """Yield labels that are more likely wrong than right."""
    errors, names = judged.errors, judged.names
    for place, wrong, suggested, label in zip(
        judged.places.tolist(), errors.wrong, errors.suggested, judged.truth, strict=True
    ):
        sample = subject.samples[place]
        if wrong.max() < CALLED_WRONG:
            continue
        if subject.task.multilabel:
            answers = np.where(wrong >= CALLED_WRONG, suggested, label)
            better = joined(names[number] for number in np.flatnonzero(answers))
        else:
            better = names[int(suggested)]
        yield Finding("label_error", (sample.path,), {"label": sample.label}, float(wrong.max()), better)


def _places_to_judge(subject: AuditSubject) -> IntArray:
    """Return the images whose class has enough others that are no copies."""
    if subject.task.multilabel:
        return np.arange(len(subject.samples))
    pairs = np.unique(np.stack([subject.truth, subject.groups]), axis=1)
    groups = np.bincount(pairs[0], minlength=len(subject.labels))
    return np.flatnonzero(groups[subject.truth] >= _FEWEST_GROUPS)
