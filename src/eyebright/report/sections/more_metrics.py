"""Figures beside the headline's, folded away: of all classes together, and how each class is ranked."""

from __future__ import annotations

from eyebright.evaluation.multiclass.results import ClassMetrics, Metrics
from eyebright.report.charts.interval import interval_bar
from eyebright.report.markup import (
    decimal,
    details,
    name,
    paragraph,
    percent,
    percent_range,
    table,
    text,
)
from eyebright.text.language import translate
from eyebright.types import Interval


def further(m: Metrics) -> str:
    """Top 5, weighted F1, agreement beyond chance, ranking and Brier score."""
    shares = [
        (translate("Top-5 accuracy"), m.top5, translate("true class among the five most probable")),
        (
            translate("Weighted F1"),
            m.weighted_f1,
            translate("F1 averaged over classes, weighted by their number of images"),
        ),
        (translate("ROC-AUC"), m.roc_auc, _ranked(m)),
        (
            translate("Average precision"),
            m.average_precision,
            translate("area under the precision-recall curve"),
        ),
    ]
    plain = [
        (
            translate("Cohen's kappa"),
            m.kappa,
            translate("accuracy corrected for chance; 0 is chance, 1 is perfect"),
        ),
        (
            translate("Matthews correlation coefficient"),
            m.matthews,
            translate("correlation of predicted and true classes; 0 is chance"),
        ),
        (
            translate("Brier score"),
            m.brier,
            translate("squared error of the probabilities; 0 is perfect"),
        ),
    ]
    rows = [_row(title, percent(i.value), percent_range(i), hint) for title, i, hint in shares if i]
    for title, interval, hint in plain:
        if interval:
            between = translate("{low} to {high}", low=decimal(interval.low), high=decimal(interval.high))
            rows.append(_row(title, decimal(interval.value), between, hint))
    head = [text(translate("Metric")), text(translate("Value")), text(translate("Meaning"))]
    caption = translate("More metrics")
    return details(caption, table(caption, head, rows, "further"))


def ranking(m: Metrics) -> str:
    """ROC-AUC and average precision of each class, the weakest first."""
    classes = sorted(
        (c for c in m.per_class if c.roc_auc is not None),
        key=lambda c: (_value(c.average_precision), c.label),
    )
    if not classes:
        return ""
    intro = translate(
        "ROC-AUC: how often an image of the class gets a higher probability for it than an image of "
        "another class. Average precision: area under the precision-recall curve, that is the mean "
        "precision over the images of the class, ranked by probability."
    )
    head = [
        text(translate("Class")),
        text(translate("ROC-AUC")),
        text(translate("Average precision")),
    ]
    rows = [_class_row(c) for c in classes]
    title = translate("Metrics by class, independent of a threshold")
    return details(title, paragraph(intro) + table(title, head, rows, "classes"))


def _ranked(m: Metrics) -> str:
    if len(m.labels) == 2:
        return translate("how well {label} is ranked above the other class", label=m.labels[1])
    return translate("how well each class is ranked above the others, averaged over classes")


def _row(title: str, value: str, between: str, hint: str) -> list[str]:
    figure = f'<b>{text(value)}</b><small class="between">{text(between)}</small>'
    return [text(title), figure, f"<small>{text(hint)}</small>"]


def _class_row(c: ClassMetrics) -> list[str]:
    return [name(c.label), _figure(c.roc_auc), _figure(c.average_precision)]


def _figure(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    between = f'<small class="between">{text(percent_range(interval))}</small>'
    return f"<b>{percent(interval.value)}</b>{interval_bar(interval)}{between}"


def _value(interval: Interval | None) -> float:
    return -1.0 if interval is None else interval.value
