"""Findings about single images: their size, borders and faults, and images unlike all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from eyebright.auditing.classes.watermarks import Watermark, find_watermarks
from eyebright.auditing.faults import CALLED_FAULTY, Faults
from eyebright.auditing.findings import Finding, PlantedResult
from eyebright.auditing.material import Material
from eyebright.auditing.oddities import USUAL, odd_sizes, outliers
from eyebright.auditing.records import is_framed
from eyebright.auditing.subject import FEWEST_IMAGES, AuditSubject
from eyebright.evaluation.intervals import share_of
from eyebright.types import JsonObject

_SHOWN = 12


def size_findings(subject: AuditSubject) -> Iterator[Finding]:
    """Yield images of another size or shape."""
    odd, area, shape = odd_sizes(subject.samples)
    for place in np.flatnonzero(odd).tolist():
        sample = subject.samples[place]
        evidence: JsonObject = {
            "width": sample.width,
            "height": sample.height,
            "area": round(float(area[place]), 4),
            "shape": round(float(shape[place]), 4),
        }
        yield Finding("odd_size", (sample.path,), evidence)


def border_findings(subject: AuditSubject) -> Iterator[Finding]:
    """Yield images with a border, where most have none."""
    borders = subject.material.records["borders"]
    framed = is_framed(subject.material.records)
    for place in np.flatnonzero(framed).tolist() if framed.mean() <= USUAL else []:
        shares: JsonObject = dict(
            zip(("top", "bottom", "left", "right"), borders[place].round(4).tolist(), strict=True)
        )
        yield Finding("border", (subject.samples[place].path,), shares)


def planted_borders(material: Material) -> PlantedResult:
    """Return the share of planted borders that are found."""
    found = is_framed(material.planted["border"].records)
    return PlantedResult(share_of(int(found.sum()), len(found)), None, len(found))


def outlier_findings(subject: AuditSubject) -> Iterator[Finding]:
    """Yield images unlike all others, one of each set of copies."""
    first = subject.distinct
    if len(first) >= FEWEST_IMAGES:
        scores = outliers(subject.material.rows[first], subject.seed)
        for number in np.flatnonzero(scores).tolist():
            yield Finding("outlier", subject.paths(first[[number]]), {}, float(scores[number]))


def marks_of(subject: AuditSubject) -> list[Watermark]:
    """Return the patches that repeat at one place; copies of one image have it once."""
    first = subject.distinct
    number = np.empty(int(subject.copies.max()) + 1, np.int64)
    number[subject.copies[first]] = np.arange(len(first))
    of_copies = number[subject.copies]
    return [
        replace(mark, having=mark.having[of_copies])
        for mark in find_watermarks(
            lambda some: subject.material.whole_records(first[some]), subject.groups[first], subject.seed
        )
    ]


def watermark_findings(subject: AuditSubject, marks: Sequence[Watermark]) -> Iterator[Finding]:
    """Yield patches that repeat at the same place over many images."""
    for mark in marks:
        places = np.flatnonzero(mark.having)
        evidence: JsonObject = {
            **dict(zip(("top", "bottom", "left", "right"), mark.box, strict=True)),
            "count": len(places),
        }
        yield Finding("watermark", subject.paths(places[:_SHOWN]), evidence)


def fault_findings(subject: AuditSubject, faults: Mapping[str, Faults]) -> Iterator[Finding]:
    """Yield images that are blurred, dark, bright or pale."""
    for kind, found in faults.items():
        for place in np.flatnonzero(found.probability >= CALLED_FAULTY).tolist():
            evidence: JsonObject = {
                "value": round(float(found.values[place]), 4),
                "usual": round(float(np.median(found.values)), 4),
            }
            yield Finding(kind, (subject.samples[place].path,), evidence, float(found.probability[place]))
