"""How the model bears corrupted images: a curve for each corruption; and whether it uses the background."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eyebright.data.corruptions import BORDER, Corruption
from eyebright.evaluation.robustness import Level, Robustness
from eyebright.report.charts.axis import Axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.summary.corruption_words import corruption_name, strength_name
from eyebright.report.summary.findings import robustness_sentence
from eyebright.report.templating import render
from eyebright.text.format import percent
from eyebright.text.language import translate


def robustness(content: ReportContent) -> Section | None:
    """Return the curves, the worst corruption, and the check for shortcuts; None where it was not asked."""
    if content.robustness is None:
        return None
    found, regions = content.robustness.robustness, content.robustness.shortcut
    visible = (
        (translate("Whole image"), regions.clean),
        (translate("Centre only"), regions.centre),
        (translate("Border only"), regions.border),
    )
    body = render(
        "sections/robustness.html",
        verdict=robustness_sentence(found.to_json()),
        images=found.images,
        charts=[_chart(found, kind, levels) for kind, levels in found.curves.items()],
        border=BORDER,
        shortcut=regions,
        regions=[(title, interval, interval_bar(interval)) for title, interval in visible],
    )
    return Section("robustness", translate("Robustness to image corruption"), body)


def _chart(found: Robustness, kind: Corruption, levels: Sequence[Level]) -> tuple[str, Markup]:
    """Return the title and accuracy by the number of the strength, the first being the original images."""
    points = [found.clean, *(level.accuracy for level in levels)]
    names = ["–", *(strength_name(kind, level.strength) for level in levels)]
    x = Axis(0, len(levels), range(len(points)), lambda i: names[round(i)])
    y = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda v: percent(v, 0))
    line = Line("", [(i, interval.value) for i, interval in enumerate(points)])
    band = [(i, interval.low, interval.high) for i, interval in enumerate(points)]
    fallen = found.falls(kind)
    mark = None if fallen is None else (1.0 + levels.index(fallen), "")
    title = corruption_name(kind)
    values = "; ".join(
        f"{at} {percent(interval.value, 0)}" for at, interval in zip(names, points, strict=True)
    )
    return title, curve_chart([line], x, y, f"{title}: {values}", mark=mark, band=band)
