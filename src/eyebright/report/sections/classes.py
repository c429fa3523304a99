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
from eyebright.types import Interval, Lang

_TABLE_CLASSES = 30
_PAIRS = 20
_BAR_CLASSES = 50
_WORST, _BEST = 25, 5


def confusion(content: ReportContent, lang: Lang) -> Section:
    """The confusion matrix; for many classes the most frequent confusions and a grid of shades."""
    m = content.metrics
    body = paragraph(
        translate(
            "A row for each true class, a column for each predicted one. Choose a count to see its mistakes.",
            lang,
        )
    )
    if len(m.labels) <= _TABLE_CLASSES:
        caption = translate("Confusion matrix: counts, shaded by share of the row", lang)
        corner = translate("true ↓ predicted →", lang).replace(" ↓", "\N{NO-BREAK SPACE}↓")
        body += confusion_table(m.confusion, m.labels, caption, corner) + _most_frequent(m, lang)
    else:
        description = translate("Confusion matrix of {count} classes as shades", lang, count=len(m.labels))
        body += f'<div class="side">{heat_grid(m.confusion, description)}{_pairs(m, lang)}</div>'
    return Section("confusion", translate("What is confused with what", lang), body)


def per_class(content: ReportContent, lang: Lang) -> Section:
    """Precision, recall and F1 of each class with intervals, the weakest class first."""
    classes = sorted(content.metrics.per_class, key=lambda c: (fraction(c.f1.value), c.label))
    left_out = len(classes) - _WORST - _BEST if len(classes) > _BAR_CLASSES else 0
    shown = [*classes[:_WORST], *classes[-_BEST:]] if left_out else classes
    rows = [_row(c, lang) for c in shown]
    head = [
        text(translate("Class", lang)),
        text(translate("Precision", lang)),
        text(translate("Recall", lang)),
        text(translate("F1", lang)),
    ]
    body = paragraph(
        translate(
            "Precision: of the images given this name, how many bear it. Recall: of the images of this "
            "class, how many are found. F1 joins the two. The weakest class comes first; whiskers are 95 % "
            "intervals.",
            lang,
        )
    )
    if left_out:
        some = translate(
            "The {worst} weakest and the {best} strongest of {count} classes; metrics.json holds all.",
            lang,
            worst=_WORST,
            best=_BEST,
            count=len(classes),
        )
        body += paragraph(some, "note")
    body += table(translate("Figures of each class", lang), head, rows, "classes") + ranking(
        content.metrics, lang
    )
    return Section("classes", translate("Class by class", lang), body)


def _most_frequent(m: Metrics, lang: Lang) -> str:
    pairs = confused_pairs(m.confusion, 1)
    if not pairs:
        return ""
    ((true, named, count),) = pairs
    sentence = translate(
        "Most frequent: {label} named {predicted}, {count} of {support}.",
        lang,
        label=m.labels[true],
        predicted=m.labels[named],
        count=number(count),
        support=number(int(m.confusion[true].sum())),
    )
    return paragraph(sentence)


def _pairs(m: Metrics, lang: Lang) -> str:
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
        text(translate("True class", lang)),
        text(translate("Named", lang)),
        text(translate("Images", lang)),
    ]
    return table(translate("The most frequent confusions", lang), head, rows, "pairs")


def _row(c: ClassMetrics, lang: Lang) -> list[str]:
    support = translate("Images: {count}", lang, count=number(c.support))
    first = f"{name(c.label)}<small>{text(support)}</small>"
    return [first, figure_cell(c.precision, lang), figure_cell(c.recall, lang), figure_cell(c.f1, lang)]


def figure_cell(interval: Interval, lang: Lang) -> str:
    """A fraction with its interval as a bar and as text, for a cell of a table."""
    hint = text(percent_range(interval, lang))
    return (
        f'<b>{percent(interval.value, lang)}</b>{interval_bar(interval)}<small class="between">{hint}</small>'
    )
