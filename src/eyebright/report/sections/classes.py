"""Which classes are confused with which, and how well each one is found."""

from __future__ import annotations

from eyebright.evaluation.multiclass.results import ClassMetrics, Metrics
from eyebright.report.charts.confusion import confused_pairs, confusion_table, heat_grid, mistakes_link
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.markup import (
    Section,
    fraction,
    name,
    number,
    paragraph,
    percent,
    percent_range,
    table,
    text,
)
from eyebright.report.sections.more_metrics import ranking
from eyebright.text.language import translate
from eyebright.types import Interval

_TABLE_CLASSES = 30
_PAIRS = 20
_BAR_CLASSES = 50
_WORST, _BEST = 25, 5


def confusion(content: ReportContent) -> Section:
    """The confusion matrix; for many classes the most frequent confusions and a grid of shades."""
    m = content.metrics
    body = paragraph(
        translate(
            "Each row is a true class, each column a predicted class. Select a count to see its mistakes."
        )
    )
    if len(m.labels) <= _TABLE_CLASSES:
        caption = translate("Confusion matrix: counts, shaded by share of the row")
        corner = translate("true ↓ predicted →").replace(" ↓", "\N{NO-BREAK SPACE}↓")
        body += f"{confusion_table(m.confusion, m.labels, caption, corner)}{_most_frequent(m)}"
    else:
        description = translate(
            "Confusion matrix of {count:class|classes}, shown as shades", count=len(m.labels)
        )
        body += f'<div class="side">{heat_grid(m.confusion, description)}{_pairs(m)}</div>'
    return Section("confusion", translate("Confusion matrix"), body)


def per_class(content: ReportContent) -> Section:
    """Precision, recall and F1 of each class with intervals, the weakest class first."""
    classes = sorted(content.metrics.per_class, key=lambda c: (fraction(c.f1.value), c.label))
    left_out = len(classes) - _WORST - _BEST if len(classes) > _BAR_CLASSES else 0
    shown = [*classes[:_WORST], *classes[-_BEST:]] if left_out else classes
    rows = [_row(c) for c in shown]
    head = [
        text(translate("Class")),
        text(translate("Precision")),
        text(translate("Recall")),
        text(translate("F1")),
    ]
    body = paragraph(
        translate(
            "Precision: share of the images predicted as this class that belong to it. Recall: share "
            "of the images of this class that are predicted as it. F1 is their harmonic mean. The "
            "weakest class comes first; whiskers are 95 % intervals."
        )
    )
    if left_out:
        some = translate(
            "The {worst} weakest and {best} strongest of {count:class|classes}; metrics.json has all "
            "of them.",
            worst=_WORST,
            best=_BEST,
            count=len(classes),
        )
        body += paragraph(some, "note")
    body += table(translate("Metrics by class"), head, rows, "classes") + ranking(content.metrics)
    return Section("classes", translate("Results by class"), body)


def _most_frequent(m: Metrics) -> str:
    pairs = confused_pairs(m.confusion, 1)
    if not pairs:
        return ""
    ((true, named, count),) = pairs
    sentence = translate(
        "Most frequent confusion: {label} predicted as {predicted}, {count} of {support:image|images}.",
        label=m.labels[true],
        predicted=m.labels[named],
        count=number(count),
        support=number(int(m.confusion[true].sum())),
    )
    return paragraph(sentence)


def _pairs(m: Metrics) -> str:
    pairs = confused_pairs(m.confusion, _PAIRS)
    if not pairs:
        return ""
    rows = [
        [
            name(m.labels[true]),
            name(m.labels[named]),
            mistakes_link(m.labels[true], m.labels[named], number(n)),
        ]
        for true, named, n in pairs
    ]
    head = [
        text(translate("True class")),
        text(translate("Predicted")),
        text(translate("Images")),
    ]
    return table(translate("Most frequent confusions"), head, rows, "pairs")


def _row(c: ClassMetrics) -> list[str]:
    support = translate("{count:image|images}", count=number(c.support))
    first = f"{name(c.label)}<small>{text(support)}</small>"
    return [first, figure_cell(c.precision), figure_cell(c.recall), figure_cell(c.f1)]


def figure_cell(interval: Interval) -> str:
    """A fraction with its interval as a bar and as text, for a cell of a table."""
    hint = text(percent_range(interval))
    return f'<b>{percent(interval.value)}</b>{interval_bar(interval)}<small class="between">{hint}</small>'
