"""Findings about classes: what gives them away, which cannot be told apart, and which are rare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eyebright.auditing.classes.overlaps import overlaps, rare
from eyebright.auditing.classes.shortcuts import find_shortcuts, properties
from eyebright.auditing.classes.split_classes import split_classes
from eyebright.auditing.classes.watermarks import Watermark
from eyebright.auditing.findings import Finding
from eyebright.auditing.label_findings import JudgedLabels
from eyebright.auditing.subject import AuditSubject
from eyebright.types import JsonObject


def shortcut_findings(subject: AuditSubject, marks: Sequence[Watermark]) -> Iterator[Finding]:
    """Yield properties that give the class away."""
    if subject.task.multilabel or len(subject.labels) < 2:
        return
    tables = properties(subject.samples, subject.material.records, subject.material.cameras)
    if marks:
        having = np.stack([mark.having for mark in marks], axis=1)
        tables = {**tables, "watermark": having.astype(np.float64)}
    for found in find_shortcuts(tables, subject.truth, subject.groups, len(subject.labels), subject.seed):
        if not found.is_shortcut:
            continue
        number, recall = found.label
        evidence: JsonObject = {
            "property": found.name,
            "accuracy": round(found.accuracy.value, 4),
            "low": round(found.accuracy.low, 4),
            "high": round(found.accuracy.high, 4),
            "chance": round(found.chance, 4),
            "p": found.p,
            "class": subject.labels[number],
            "recall": round(recall, 4),
        }
        yield Finding("shortcut", (), evidence, 1 - found.p)


def overlap_findings(subject: AuditSubject, judged: JudgedLabels | None) -> Iterator[Finding]:
    """Yield pairs of classes that cannot be told apart."""
    if judged is None or subject.task.multilabel:
        return
    for found in overlaps(judged.errors.logits, judged.truth):
        area = found.area
        evidence: JsonObject = {
            "classes": [judged.names[found.first], judged.names[found.second]],
            "told_apart": round(area.value, 4),
            "low": round(area.low, 4),
            "high": round(area.high, 4),
        }
        yield Finding("class_overlap", subject.paths(judged.places[found.shown]), evidence)


def split_findings(subject: AuditSubject) -> Iterator[Finding]:
    """Yield classes whose images fall into two clusters."""
    if subject.task.multilabel:
        return
    first = subject.distinct
    for found in split_classes(
        subject.material.rows[first], subject.truth[first], subject.groups[first], subject.seed
    ):
        evidence: JsonObject = {
            "class": subject.labels[found.label],
            "sizes": list(found.sizes),
            "valley": round(found.valley.value, 4),
            "low": round(found.valley.low, 4),
            "high": round(found.valley.high, 4),
        }
        yield Finding("class_split", subject.paths(first[found.shown]), evidence)


def imbalance_findings(subject: AuditSubject) -> Iterator[Finding]:
    """Yield classes with few images."""
    counts = subject.task.counts(subject.truth, len(subject.labels))
    for number in rare(counts).tolist():
        evidence: JsonObject = {
            "class": subject.labels[number],
            "images": int(counts[number]),
            "largest": int(counts.max()),
        }
        yield Finding("imbalance", (), evidence)
