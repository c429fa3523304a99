"""Where classes are answered from a threshold on, what that gives, and what mistakes cost."""

from __future__ import annotations

from eyebright.evaluation.decisions.costs import CostFigures
from eyebright.evaluation.decisions.curves import OperatingCurve
from eyebright.evaluation.decisions.targets import Figure
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.charts.axis import Axis
from eyebright.report.charts.curve import Line, curve_chart
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
from eyebright.types import Interval


def operating(content: ReportContent) -> Section | None:
    """Each target with its threshold, figures and curves, and the costs; None without either."""
    if not content.operating_curves and content.cost is None:
        return None
    body = "".join(_point(curve) for curve in content.operating_curves)
    if content.operating_curves:
        several = isinstance(content.metrics, LabelMetrics)
        rule = translate(
            "A label is predicted when its probability reaches its threshold. All metrics on this "
            "page use these thresholds."
            if several
            else (
                "A class is predicted once its probability reaches its threshold, even where another "
                "class is more likely. All other metrics on this page use the most likely class."
            )
        )
        body = paragraph(rule) + body
    if content.cost is not None:
        body += _cost(content.cost)
    return Section("operating", translate("Operating points"), body)


def _point(curve: OperatingCurve) -> str:
    point = curve.point
    threshold = point.threshold
    part = (
        translate("training images the model was not fitted to")
        if threshold.chosen_on == "train"
        else translate("the validation split")
    )
    sentence = translate(
        "The class is predicted when its probability is at least {threshold}. This threshold was "
        "selected on {part}, where the metric was {chosen}.",
        threshold=f"{threshold.value:.4f}",
        part=part,
        chosen=percent(threshold.chosen, 2),
    )
    verdict = "" if threshold.met else paragraph(_unmet(), "note")
    return (
        f"<h3>{text(threshold.target)}</h3>{paragraph(sentence)}{verdict}{_figures(curve)}"
        f'<div class="curves">{_curves(curve)}</div>'
    )


def _unmet() -> str:
    return translate("No threshold met the target on those images; this one came closest.")


def figure_name(figure: Figure) -> str:
    """What a figure is called."""
    match figure:
        case "recall":
            return translate("Recall (sensitivity)")
        case "precision":
            return translate("Precision")
        case "specificity":
            return translate("Specificity")
        case "false_positive_rate":
            return translate("False positive rate")


def _figures(curve: OperatingCurve) -> str:
    wanted = curve.point.threshold.target.figure
    rows = []
    for figure, interval in curve.point.figures.items():
        mark = f' <span class="mark">{text(translate("target"))}</span>' if figure == wanted else ""
        rows.append([f"{text(figure_name(figure))}{mark}", *_cells(interval)])
    head = [text(translate("Metric")), text(translate("Value")), ""]
    caption = translate("Measured on the {part} split", part=part_name(curve.point.split))
    return table(caption, head, rows, "further")


def _cells(interval: Interval | None) -> list[str]:
    if interval is None:
        return ["–", ""]
    between = f'<small class="between">{text(percent_range(interval))}</small>'
    return [f"<b>{percent(interval.value)}</b>{between}", interval_bar(interval)]


def _curves(curve: OperatingCurve) -> str:
    if not curve.roc:
        return ""
    found = curve.point.figures
    recall, precision, alarms = (found[f] for f in ("recall", "precision", "false_positive_rate"))
    axis = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda v: percent(v, 0))
    drawings = (
        (
            translate("ROC curve: recall against false positive rate"),
            curve.roc,
            (alarms.value, recall.value) if alarms and recall else None,
            ((0.0, 0.0), (1.0, 1.0)),
        ),
        (
            translate("Precision-recall curve"),
            curve.precision_recall,
            (recall.value, precision.value) if recall and precision else None,
            (),
        ),
    )
    return "".join(
        f"<figure><h3>{text(title)}</h3>{chart}</figure>"
        for title, points, ring, chance in drawings
        for chart in [
            curve_chart(
                [Line(title, points), *([Line("", chance)] if chance else [])], axis, axis, title, point=ring
            )
        ]
    )


def _cost(cost: CostFigures) -> str:
    rows = [
        [text(title), decimal(i.value), text(_range(i))]
        for title, i in (
            (translate("Predicting the most likely class"), cost.likeliest),
            (translate("Predicting the class with the lowest expected cost"), cost.cheapest),
            (translate("Saved"), cost.saved),
        )
    ]
    intro = translate("The model predicts the class with the lowest expected cost.")
    head = [text(translate("Mean cost per image")), text(translate("Value")), ""]
    return paragraph(intro) + table(translate("Cost of mistakes"), head, rows)


def _range(interval: Interval) -> str:
    return translate("{low} to {high}", low=decimal(interval.low), high=decimal(interval.high))
