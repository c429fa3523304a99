"""From which threshold on a class is predicted, what that gives, and what mistakes cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.evaluation.decisions.curves import OperatingCurve
from eyebright.evaluation.decisions.operating import Threshold
from eyebright.evaluation.decisions.targets import Figure
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.charts.axis import Axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.summary.targets import verdict_name
from eyebright.report.templating import render
from eyebright.text.format import percent
from eyebright.text.language import translate
from eyebright.types import Interval, Split


@dataclass(frozen=True)
class OperatingMetric:
    """A metric at a threshold; ``interval`` is None where no image is counted."""

    name: str
    target: bool
    interval: Interval | None
    chart: Markup


@dataclass(frozen=True)
class OperatingView:
    """A target with its verdict and threshold, what that gives on ``split``, and its curves with titles."""

    target: str
    verdict: str
    threshold: Threshold
    split: Split
    rows: Sequence[OperatingMetric]
    curves: Sequence[tuple[str, Markup]]


def operating(content: ReportContent) -> Section | None:
    """Return each target with its threshold, metrics and curves, and the costs; None without either."""
    if not content.operating_curves and content.cost is None:
        return None
    body = render(
        "sections/operating.html",
        points=[_view(curve) for curve in content.operating_curves],
        multilabel=isinstance(content.metrics, LabelMetrics),
        cost=content.cost,
        contested=content.contested,
    )
    return Section("operating", translate("Operating points"), body)


def figure_name(figure: Figure) -> str:
    """Return what a metric of an operating point is called."""
    match figure:
        case "recall":
            return translate("Recall (sensitivity)")
        case "precision":
            return translate("Precision")
        case "specificity":
            return translate("Specificity")
        case "false_positive_rate":
            return translate("False positive rate")


def _view(curve: OperatingCurve) -> OperatingView:
    point = curve.point
    wanted = point.threshold.target.figure
    rows = [
        OperatingMetric(
            figure_name(figure),
            figure == wanted,
            interval,
            Markup() if interval is None else interval_bar(interval),
        )
        for figure, interval in point.figures.items()
    ]
    return OperatingView(
        str(point.threshold.target),
        verdict_name(point.verdict.name),
        point.threshold,
        point.split,
        rows,
        _curves(curve),
    )


def _curves(curve: OperatingCurve) -> list[tuple[str, Markup]]:
    """Return the ROC curve with the line of chance, and the precision-recall curve."""
    if not curve.roc:
        return []
    found = curve.point.figures
    recall, precision, alarms = (found[f] for f in ("recall", "precision", "false_positive_rate"))
    axis = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda v: percent(v, 0))
    roc = translate("ROC curve: recall against false positive rate")
    trade = translate("Precision-recall curve")
    roc_ring = (alarms.value, recall.value) if alarms and recall else None
    trade_ring = (recall.value, precision.value) if recall and precision else None
    roc_lines = [Line(roc, curve.roc), Line("", ((0.0, 0.0), (1.0, 1.0)))]
    return [
        (roc, curve_chart(roc_lines, axis, axis, roc, point=roc_ring)),
        (trade, curve_chart([Line(trade, curve.precision_recall)], axis, axis, trade, point=trade_ring)),
    ]
