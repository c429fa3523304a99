"""How accuracy grew with the number of training images, and what twice as many may give."""

from __future__ import annotations

from eyebright.evaluation.forecast import Forecast
from eyebright.report.charts.axis import Axis, linear_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, number, paragraph, percent, percent_range, table, text
from eyebright.text.language import translate


def data_curve(content: ReportContent) -> Section | None:
    """The forecast in words, the curve, and its figures; None where it was not asked for."""
    curve = content.learning_curve
    if curve is None:
        return None
    known = [(point.images, point.accuracy) for point in curve.points]
    told = "" if curve.forecast is None else _words(curve.forecast)
    how = translate(
        "Cross-validated within the training split: the images were divided into 10, 5 and 2 parts, "
        "and the head was fitted on each part alone. Nothing was selected by this."
    )
    ahead = [] if curve.forecast is None else [(curve.forecast.images, curve.forecast.accuracy)]
    every = [*known, *ahead]
    title = translate("Accuracy by number of training images")
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
    return Section("curve", translate("Learning curve"), body)


def _words(found: Forecast) -> str:
    verdict = (
        translate("More images would help.")
        if found.worth_it
        else translate("More images like these would hardly help.")
    )
    said = translate(
        "With twice as many training images ({count}), accuracy is forecast at {value} ({low} to "
        "{high}); for the current images the same curve gives {now}.",
        count=number(found.images),
        value=percent(found.accuracy.value),
        low=percent(found.accuracy.low),
        high=percent(found.accuracy.high),
        now=percent(found.now),
    )
    honest = translate(
        "This is a forecast, not a measurement. It assumes that new images resemble these and that "
        "accuracy keeps growing at the same rate."
    )
    return paragraph(f"{verdict} {said}") + paragraph(honest, "note")
