"""The page of an audit: what was found, with pictures, and a form that writes the file of fixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from eyebright.auditing.examine import Examination
from eyebright.auditing.findings import Finding, PlantedResult
from eyebright.data.fixes import Fix
from eyebright.data.manifest import Manifest
from eyebright.report.charts.interval import interval_bar
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.types import Interval
from eyebright.verbs.audit.overview import kind_rows
from eyebright.verbs.audit.proposals import among, leaked_with
from eyebright.verbs.audit.view import SHOWN, views
from eyebright.verbs.audit.words import budget_sentence, label_hint, meaning, title, way_name


@dataclass(frozen=True)
class AuditContent:
    """What the page shows.

    Attributes:
        title: the data's name.
        manifest: of all images that can be read.
        found: in the examination.
        proposals: the fixes of each finding.
        parts: whether the data itself says which images train and which evaluate.
        size: input size in pixels of the features that were compared.
    """

    title: str
    manifest: Manifest
    found: Examination
    proposals: Sequence[Sequence[Fix]]
    parts: bool
    size: int


@dataclass(frozen=True)
class PlantedRow:
    """One way of planting: how it is called, its recall and a chart of that."""

    title: str
    recall: Interval
    chart: Markup


def write_page(path: Path, content: AuditContent) -> None:
    """Write the page to ``path``, whole or not at all.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    found = content.found
    pairs = list(zip(found.findings, content.proposals, strict=True))
    leaks = leaked_with(found.findings)
    by_kind = {kind: list(some) for kind, some in groupby(pairs, lambda pair: pair[0].kind)}
    about = {s.path: (s.label, s.split if content.parts else "") for s in content.manifest.samples}
    overview = render("audit/overview.html", rows=kind_rows(found))
    sections = [Section("overview", translate("Overview"), overview)]
    for kind, some in by_kind.items():
        asked = [pair for pair in some if not among(leaks, pair[0])]
        first = asked[:SHOWN]
        body = render(
            "audit/findings.html",
            meaning=meaning(kind),
            views=views(content.manifest.root, first, about),
            count=len(asked),
            elsewhere=len(some) - len(asked),
            single=all(len(finding.images) == 1 for finding, _ in asked),
        )
        sections.append(Section(kind, title(kind), body))
    sections.append(_planted(found))
    sections.append(_fixes(pairs))
    write_text(path, document(content.title, _verdict(content), sections))


def _verdict(content: AuditContent) -> Markup:
    count = len(content.found.findings)
    sentences = [
        translate(
            "{images:image|images} examined, {findings:finding|findings}.",
            images=len(content.manifest.samples),
            findings=count,
        )
    ]
    if content.found.wrong_labels is not None:
        sentences.append(budget_sentence(content.found.wrong_labels, content.found.budget))
    if hint := label_hint(content.found.planted.get("label_error"), content.size):
        sentences.append(hint)
    if not content.parts:
        sentences.append(
            translate(
                "The data has no splits of its own, so leaks and shifts between splits were not looked for."
            )
        )
    return render("verdict.html", sentences=sentences)


def _planted(found: Examination) -> Section:
    rows = []
    for kind, result in found.planted.items():
        ways = result.ways or {"": result.recall}
        rows += [
            PlantedRow(_way(kind, way, result), recall, interval_bar(recall)) for way, recall in ways.items()
        ]
    body = render("audit/planted.html", rows=rows, error=found.label_calibration_error)
    return Section("planted", translate("How well it was looked for"), body)


def _way(kind: str, way: str, result: PlantedResult) -> str:
    name = title(kind) if not way else translate("{kind}: {way}", kind=title(kind), way=way_name(way))
    return translate("{name} ({count} planted)", name=name, count=result.planted // max(1, len(result.ways)))


def _fixes(pairs: Sequence[tuple[Finding, Sequence[Fix]]]) -> Section:
    """Return the form that saves what was chosen, with the fixes of images that the page does not show."""
    rows = [[fix.image, fix.action, fix.value, fix.reason] for _, fixes in pairs for fix in fixes]
    return Section("fixes", translate("Fixes"), render("audit/fixes.html", rows=rows))
