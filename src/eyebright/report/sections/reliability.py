"""How well the probabilities are calibrated: the reliability diagram beside what it says."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eyebright.evaluation.multiclass.results import ReliabilityBin
from eyebright.report.charts.reliability import reliability_diagram
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.language import translate


def reliability(content: ReportContent) -> Section | None:
    """Return the diagram, the calibration error in words, and the diagram's values."""
    bins = content.metrics.reliability
    if not bins:
        return None
    scaled = content.ece_before is not None and content.temperature is not None
    words = render("sections/reliability.html", content=content, scaled=scaled)
    head = (
        translate("Confidence"),
        translate("Images"),
        translate("Mean confidence"),
        translate("Correct"),
    )
    return diagram_section(bins, words, head, translate("Confidence and accuracy"))


def diagram_section(
    bins: Sequence[ReliabilityBin], words: Markup, head: Sequence[str], caption: str
) -> Section:
    """Return the diagram beside ``words``, and its values under ``head`` and ``caption``, plain text."""
    diagram = reliability_diagram(bins)
    body = render(
        "sections/reliability_diagram.html",
        diagram=diagram,
        words=words,
        bins=bins,
        head=head,
        caption=caption,
    )
    return Section("reliability", translate("Calibration of the probabilities"), body)
