"""Metrics beside the key ones: of all classes together, and how well each class is ranked."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from eyebright.evaluation.multiclass.results import Metrics
from eyebright.report.charts.interval import interval_bar
from eyebright.report.summary.metric_card import MetricCard, decimal_card, share_row
from eyebright.report.templating import render
from eyebright.text.language import translate
from eyebright.types import Interval


@dataclass(frozen=True)
class RankedClass:
    """A class with its ROC-AUC and average precision, each with its chart."""

    label: str
    metrics: tuple[tuple[Interval | None, Markup], ...]


def further(m: Metrics) -> list[MetricCard]:
    """Return top 5, weighted F1, ranking, agreement beyond chance and Brier score, where they are known."""
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
    decimals = [
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
    return [
        *(share_row(title, i, meaning) for title, i, meaning in shares if i),
        *(decimal_card(title, i, meaning) for title, i, meaning in decimals if i),
    ]


def ranking(m: Metrics) -> Markup:
    """Return ROC-AUC and average precision of each class, the weakest first; empty where none is known."""
    classes = sorted(
        (c for c in m.per_class if c.roc_auc is not None),
        key=lambda c: (-1.0 if c.average_precision is None else c.average_precision.value, c.label),
    )
    rows = [RankedClass(c.label, (_drawn(c.roc_auc), _drawn(c.average_precision))) for c in classes]
    return render("sections/ranking.html", rows=rows)


def _ranked(m: Metrics) -> str:
    if len(m.labels) == 2:
        return translate("how well {label} is ranked above the other class", label=m.labels[1])
    return translate("how well each class is ranked above the others, averaged over classes")


def _drawn(interval: Interval | None) -> tuple[Interval | None, Markup]:
    return interval, Markup() if interval is None else interval_bar(interval)
