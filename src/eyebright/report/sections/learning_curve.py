"""How accuracy grew with the number of training images, and what twice as many may give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.evaluation.forecast import LearningCurve
from eyebright.report.charts.axis import Axis, linear_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.format import number, percent
from eyebright.text.language import translate
from eyebright.types import Interval


@dataclass(frozen=True)
class CurveRow:
    """The accuracy for a number of training images, measured or forecast."""

    images: int
    accuracy: Interval
    forecast: bool


def learning_curve(content: ReportContent) -> Section | None:
    """Return the forecast in words, the curve, and its values; None where it was not asked for."""
    curve = content.learning_curve
    if curve is None:
        return None
    rows = _rows(curve)
    title = translate("Accuracy by number of training images")
    chart = _chart(title, rows) if len(rows) > 1 else Markup()
    body = render("sections/learning_curve.html", rows=rows, chart=chart, forecast=curve.forecast)
    return Section("curve", translate("Learning curve"), body)


def _rows(curve: LearningCurve) -> list[CurveRow]:
    rows = [CurveRow(point.images, point.accuracy, forecast=False) for point in curve.points]
    if curve.forecast is not None:
        rows.append(CurveRow(curve.forecast.images, curve.forecast.accuracy, forecast=True))
    return rows


def _chart(title: str, rows: Sequence[CurveRow]) -> Markup:
    """Return accuracy by number of images, the way to the forecast as a line of its own."""
    images = [row.images for row in rows]
    x = Axis(images[0], images[-1], images, lambda n: number(round(n)), logarithmic=True)
    ends = [limit for row in rows for limit in (row.accuracy.low, row.accuracy.high)]
    y = linear_axis(ends, lambda value: percent(value, 0))
    points = [(row.images, row.accuracy.value) for row in rows]
    measured = sum(not row.forecast for row in rows)
    lines = [Line(title, points[:measured])]
    if measured < len(rows):
        lines.append(Line("", points[measured - 1 :]))
    band = [(row.images, row.accuracy.low, row.accuracy.high) for row in rows]
    return curve_chart(lines, x, y, title, band=band)
