"""Can the probabilities be trusted: the reliability diagram beside what it says."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.evaluation.multiclass.results import ReliabilityBin
from eyebright.report.charts.reliability import reliability_diagram
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, details, number, paragraph, percent, table, text
from eyebright.text.language import translate


def reliability(content: ReportContent) -> Section | None:
    """The diagram, the calibration error in words, and the diagram's numbers."""
    bins = content.metrics.reliability
    if not bins:
        return None
    words = paragraph(
        translate(
            "Of the answers given with 80 % confidence, 80 of 100 should be right. Bars on the dashed line "
            "keep that promise; below it the model is too sure of itself, above it too modest. Few images "
            "make a bar uncertain."
        )
    )
    if content.ece_before is not None and content.temperature is not None:
        scaling = translate(
            "Confidence missed the truth by {before} on average; with temperature {temperature} it misses "
            "by {after}.",
            before=percent(content.ece_before),
            temperature=f"{content.temperature:.2f}",
            after=percent(content.metrics.ece.value),
        )
        words += paragraph(scaling)
    head = (
        translate("Confidence"),
        translate("Images"),
        translate("Mean confidence"),
        translate("Right"),
    )
    return diagram_section(bins, words, head, translate("Confidence and truth"))


def diagram_section(bins: Sequence[ReliabilityBin], words: str, head: Sequence[str], caption: str) -> Section:
    """The diagram beside ``words``, which are HTML, and its numbers under ``head`` and ``caption``."""
    rows = [
        [
            f"{percent(b.low, 0)} – {percent(b.high, 0)}",
            number(b.count),
            percent(b.confidence),
            percent(b.accuracy),
        ]
        for b in bins
    ]
    numbers = details(
        translate("The diagram's numbers"), table(caption, [text(title) for title in head], rows)
    )
    diagram = reliability_diagram(bins)
    body = f'<div class="side"><figure>{diagram}</figure><div>{words}{numbers}</div></div>'
    return Section("reliability", translate("Are the probabilities honest"), body)
