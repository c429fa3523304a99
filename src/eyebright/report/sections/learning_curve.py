"""How accuracy grew with the number of training images, and what twice as many may give."""

from __future__ import annotations

from eyebright.evaluation.forecast import Forecast
from eyebright.report.charts.curve import Axis, Line, curve_chart, linear_axis
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, number, paragraph, percent, percent_range, table, text
from eyebright.text.language import translate


def data_curve(content: ReportContent) -> Section | None:
    """The forecast in words, the curve, and its figures; None where it was not asked for."""
    curve = content.curve
    if curve is None:
        return None
    known = [(point.images, point.accuracy) for point in curve.points]
    told = "" if curve.forecast is None else _words(curve.forecast)
    how = translate(
        "By cross-validation inside the training part: the images were cut into 10, 5 and 2 parts, and the "
        "head was solved on each part alone. Nothing was chosen by this."
    )
    ahead = [] if curve.forecast is None else [(curve.forecast.images, curve.forecast.accuracy)]
    every = [*known, *ahead]
    title = translate("Accuracy by training images")
    if len(every) > 1:
        x = Axis(
            every[0][0], every[-1][0], [n for n, _ in every], lambda n: number(round(n)), logarithmic=True
        )
        ends = [limit for _, interval in every for limit in (interval.low, interval.high)]
        y = linear_axis(ends, lambda value: percent(value, 0))
        lines = [Line(title, [(n, interval.value) for n, interval in known])]
        if ahead:
            lines.append(Line("", [(n, interval.value) for n, interval in (known[-1], *ahead)]))
        chart = curve_chart(lines, x, y, title, band=[(n, i.low, i.high) for n, i in every])
        told += f'<figure class="single">{chart}</figure>'
    rows = [[number(n), f"<b>{percent(i.value)}</b>", text(percent_range(i))] for n, i in known]
    rows += [
        [
            f"{number(n)} <small>{text(translate('forecast'))}</small>",
            f"<b>{percent(i.value)}</b>",
            text(percent_range(i)),
        ]
        for n, i in ahead
    ]
    head = [text(translate("Images")), text(translate("Accuracy")), ""]
    body = told + paragraph(how) + table(title, head, rows, "further")
    return Section("curve", translate("Would more images help"), body)


def _words(found: Forecast) -> str:
    verdict = (
        translate("More images would help.")
        if found.worth_it
        else translate("More images like these would hardly help.")
    )
    said = translate(
        "With twice as many training images ({count}) accuracy may be {value} (between {low} and {high}); "
        "the same line says {now} for those that there are.",
        count=number(found.images),
        value=percent(found.accuracy.value),
        low=percent(found.accuracy.low),
        high=percent(found.accuracy.high),
        now=percent(found.now),
    )
    honest = translate(
        "This is a forecast, not a measurement: it holds if new images are like these and accuracy goes on "
        "growing as it did."
    )
    return paragraph(f"{verdict} {said}") + paragraph(honest, "note")
