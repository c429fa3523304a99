"""Findings of parts that can be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from eyebright.auditing.findings import Finding
from eyebright.auditing.shift import SIGNIFICANT, Shift, compare_parts
from eyebright.auditing.subject import AuditSubject
from eyebright.data.manifest import SPLITS
from eyebright.evaluation.paired import holm
from eyebright.types import IntArray, JsonObject, Split

_FEWEST_OF_CLASS = 20
_LEVEL_OF_CLASSES = 0.05  # of all classes together


def compare_all_parts(subject: AuditSubject) -> dict[tuple[Split, Split], Shift]:
    """Return how recognisable each part is beside each other one; nothing where the data has no parts."""
    found = {}
    for names, places in _pairs(subject).items() if subject.parts else ():
        shift = _compared(subject, places, names[1])
        if shift is not None:
            found[names] = shift
    return found


def shift_findings(subject: AuditSubject, shifts: Mapping[tuple[Split, Split], Shift]) -> Iterator[Finding]:
    """Yield pairs of parts that can be told apart."""
    pairs = _pairs(subject)
    for names, found in shifts.items():
        if found.p > SIGNIFICANT / len(shifts):
            continue
        evidence: JsonObject = {
            "parts": list(names),
            "told_apart": round(found.auc, 4),
            "p": found.p,
            "classes": _shifted_classes(subject, pairs[names], names[1]),
            "compared": list(found.counts),
        }
        yield Finding("shift", subject.paths(found.shown), evidence, 1 - found.p)


def _pairs(subject: AuditSubject) -> dict[tuple[Split, Split], IntArray]:
    """Return the places of two parts' images, one of each set of copies, by their names."""
    first = subject.distinct
    split = np.array([subject.samples[place].split for place in first])
    there = [part for part in SPLITS if (split == part).any()]
    return {pair: first[(split == pair[0]) | (split == pair[1])] for pair in combinations(there, 2)}


def _compared(subject: AuditSubject, places: IntArray, other: Split) -> Shift | None:
    second = np.array([subject.samples[place].split == other for place in places])
    strata = subject.task.strata(subject.truth)[places]
    found = compare_parts(subject.material.rows[places], second, strata, subject.groups[places], subject.seed)
    return None if found is None else found.at(places)


def _shifted_classes(subject: AuditSubject, places: IntArray, other: Split) -> list[str]:
    """Return the classes in which the parts differ as well."""
    strata = subject.task.strata(subject.truth)[places]
    tails: dict[str, float] = {}
    for number, label in enumerate(subject.labels):
        some = places[strata == number]
        second = sum(subject.samples[place].split == other for place in some.tolist())
        if min(second, len(some) - second) < _FEWEST_OF_CLASS:
            continue
        found = _compared(subject, some, other)
        if found is not None:
            tails[label] = found.tail
    adjusted = holm(list(tails.values()))
    return [label for label, p in zip(tails, adjusted, strict=True) if p <= _LEVEL_OF_CLASSES]
