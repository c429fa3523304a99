"""Which classes are confused with which, and how well each one is found."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from eyebright.evaluation.advice import FEWEST_EVALUATED
from eyebright.evaluation.multiclass.results import ClassMetrics, Metrics
from eyebright.report.charts.confusion import confused_pairs, confusion_table, heat_grid
from eyebright.report.charts.interval import fraction, interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.sections.more_metrics import ranking
from eyebright.report.templating import render
from eyebright.text.language import translate
from eyebright.types import Interval

_TABLE_CLASSES = 30
_PAIRS = 20
_BAR_CLASSES = 50
_WORST, _BEST = 25, 5


@dataclass(frozen=True)
class Confusion:
    """How many of the ``support`` images of a class are predicted as another."""

    label: str
    predicted: str
    count: int
    support: int


@dataclass(frozen=True)
class ClassScores:
    """A class with its precision, recall and F1, each with its chart."""

    label: str
    images: int
    metrics: tuple[tuple[Interval, Markup], ...]


def confusion(content: ReportContent) -> Section:
    """Return the confusion matrix; for many classes the most frequent confusions and a grid of shades."""
    m = content.metrics
    few = len(m.labels) <= _TABLE_CLASSES
    if few:
        caption = translate("Confusion matrix: counts, shaded by share of the row")
        corner = translate("true ↓ predicted →").replace(" ↓", "\N{NO-BREAK SPACE}↓")
        grid = confusion_table(m.confusion, m.labels, caption, corner)
    else:
        description = translate(
            "Confusion matrix of {count:class|classes}, shown as shades", count=len(m.labels)
        )
        grid = heat_grid(m.confusion, description)
    body = render("sections/confusion.html", grid=grid, few=few, confusions=_confusions(m))
    return Section("confusion", translate("Confusion matrix"), body)


def per_class(content: ReportContent) -> Section:
    """Return precision, recall and F1 of each class with intervals, the weakest class first."""
    classes = sorted(content.metrics.per_class, key=lambda c: (fraction(c.f1.value), c.label))
    some = len(classes) > _BAR_CLASSES
    shown = [*classes[:_WORST], *classes[-_BEST:]] if some else classes
    body = render(
        "sections/classes.html",
        rows=[_scores(c) for c in shown],
        count=len(classes),
        some=some,
        worst=_WORST,
        best=_BEST,
        fewest=FEWEST_EVALUATED,
        ranking=ranking(content.metrics),
    )
    return Section("classes", translate("Results by class"), body)


def _confusions(m: Metrics) -> list[Confusion]:
    support = m.confusion.sum(axis=1)
    return [
        Confusion(m.labels[true], m.labels[predicted], count, int(support[true]))
        for true, predicted, count in confused_pairs(m.confusion, _PAIRS)
    ]


def _scores(c: ClassMetrics) -> ClassScores:
    metrics = tuple((interval, interval_bar(interval)) for interval in (c.precision, c.recall, c.f1))
    return ClassScores(c.label, c.support, metrics)
