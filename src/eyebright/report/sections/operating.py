"""Where classes are answered from a threshold on, what that gives, and what mistakes cost."""

from __future__ import annotations

from eyebright.evaluation.decisions.costs import CostFigures
from eyebright.evaluation.decisions.curves import OperatingCurve
from eyebright.evaluation.decisions.targets import Figure
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.charts.curve import Axis, Line, curve_chart
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.markup import (
    Section,
    decimal,
    paragraph,
    part_name,
    percent,
    percent_range,
    table,
    text,
)
from eyebright.text.language import translate
from eyebright.types import Interval, Lang


def operating(content: ReportContent, lang: Lang) -> Section | None:
    """Each target with its threshold, figures and curves, and the costs; None without either."""
    if not content.decided and content.cost is None:
        return None
    body = "".join(_point(curve, lang) for curve in content.decided)
    if content.decided:
        several = isinstance(content.metrics, LabelMetrics)
        rule = translate(
            "A label is named from its threshold on. All figures of this page are of these thresholds."
            if several
            else "Predictions answer a class from its threshold on, even where another is likelier. The "
            "figures elsewhere on this page are of the likeliest class.",
            lang,
        )
        body = paragraph(rule) + body
    if content.cost is not None:
        body += _cost(content.cost, lang)
    return Section("operating", translate("When a class is answered", lang), body)


def _point(curve: OperatingCurve, lang: Lang) -> str:
    point = curve.point
    threshold = point.threshold
    part = (
        translate("the held-out folds of the training part", lang)
        if threshold.chosen_on == "train"
        else translate("the validation part", lang)
    )
    sentence = translate(
        "Answered from a probability of {threshold} on, chosen on {part}, where the figure was {chosen}.",
        lang,
        threshold=f"{threshold.value:.4f}",
        part=part,
        chosen=percent(threshold.chosen, lang, 2),
    )
    verdict = "" if threshold.met else paragraph(_unmet(lang), "note")
    return (
        f"<h3>{text(threshold.target)}</h3>{paragraph(sentence)}{verdict}{_figures(curve, lang)}"
        f'<div class="curves">{_curves(curve, lang)}</div>'
    )


def _unmet(lang: Lang) -> str:
    return translate("No threshold met the target there; this one came nearest.", lang)


def figure_name(figure: Figure, lang: str) -> str:
    """What a figure is called."""
    match figure:
        case "recall":
            return translate("Recall (sensitivity)", lang)
        case "precision":
            return translate("Precision", lang)
        case "specificity":
            return translate("Specificity", lang)
        case "false_positive_rate":
            return translate("False positive rate", lang)


def _figures(curve: OperatingCurve, lang: Lang) -> str:
    wanted = curve.point.threshold.target.figure
    rows = []
    for figure, interval in curve.point.figures.items():
        mark = f' <span class="mark">{text(translate("target", lang))}</span>' if figure == wanted else ""
        rows.append([f"{text(figure_name(figure, lang))}{mark}", *_cells(interval, lang)])
    head = [text(translate("Figure", lang)), text(translate("Value", lang)), ""]
    caption = translate(
        "Measured on the {part} part",
        lang,
        part=part_name(curve.point.split, lang),  # type: ignore[arg-type]
    )
    return table(caption, head, rows, "further")


def _cells(interval: Interval | None, lang: Lang) -> list[str]:
    if interval is None:
        return ["–", ""]
    between = f'<small class="between">{text(percent_range(interval, lang))}</small>'
    return [f"<b>{percent(interval.value, lang)}</b>{between}", interval_bar(interval)]


def _curves(curve: OperatingCurve, lang: Lang) -> str:
    if not curve.roc:
        return ""
    found = curve.point.figures
    recall, precision, alarms = (found[f] for f in ("recall", "precision", "false_positive_rate"))
    axis = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda v: percent(v, lang, 0))
    drawings = (
        (
            translate("ROC: recall against false positive rate", lang),
            curve.roc,
            (alarms.value, recall.value) if alarms and recall else None,
            ((0.0, 0.0), (1.0, 1.0)),
        ),
        (
            translate("Precision against recall", lang),
            curve.precision_recall,
            (recall.value, precision.value) if recall and precision else None,
            (),
        ),
    )
    return "".join(
        f"<figure><h3>{text(title)}</h3>"
        + curve_chart(
            [Line(title, points), *([Line("", chance)] if chance else [])], axis, axis, title, point=ring
        )
        + "</figure>"
        for title, points, ring, chance in drawings
    )


def _cost(cost: CostFigures, lang: Lang) -> str:
    rows = [
        [text(title), decimal(i.value), text(_range(i, lang))]
        for title, i in (
            (translate("The likeliest class is answered", lang), cost.likeliest),
            (translate("The class of least expected cost is answered", lang), cost.cheapest),
            (translate("Saved", lang), cost.saved),
        )
    ]
    intro = translate("Predictions answer the class whose expected cost is least.", lang)
    head = [text(translate("Mean cost of an image", lang)), text(translate("Value", lang)), ""]
    return paragraph(intro) + table(translate("What mistakes cost", lang), head, rows)


def _range(interval: Interval, lang: Lang) -> str:
    return translate("{low} to {high}", lang, low=decimal(interval.low), high=decimal(interval.high))
