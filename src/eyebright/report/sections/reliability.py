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
            "Of the predictions made with 80 % confidence, 80 of 100 should be correct. Bars on the "
            "dashed line are well calibrated; below it the model is overconfident, above it "
            "underconfident. Bars with few images are uncertain."
        )
    )
    if content.ece_before is not None and content.temperature is not None:
        scaling = translate(
            "The calibration error was {before} before temperature scaling and is {after} with "
            "temperature {temperature}.",
            before=percent(content.ece_before),
            temperature=f"{content.temperature:.2f}",
            after=percent(content.metrics.ece.value),
        )
        words += paragraph(scaling)
    head = (
        translate("Confidence"),
        translate("Images"),
        translate("Mean confidence"),
        translate("Correct"),
    )
    return diagram_section(bins, words, head, translate("Confidence and accuracy"))


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
        translate("Values of the diagram"), table(caption, [text(title) for title in head], rows)
    )
    diagram = reliability_diagram(bins)
    body = f'<div class="side"><figure>{diagram}</figure><div>{words}{numbers}</div></div>'
    return Section("reliability", translate("Calibration of the probabilities"), body)
