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
from eyebright.types import Interval, Lang


def further(m: Metrics, lang: Lang) -> str:
    """Top 5, weighted F1, agreement beyond chance, ranking and Brier score."""
    shares = [
        (translate("Top 5", lang), m.top5, translate("true class among the five likeliest", lang)),
        (
            translate("Weighted F1", lang),
            m.weighted_f1,
            translate("mean of the classes' F1 by their numbers of images", lang),
        ),
        (translate("ROC-AUC", lang), m.roc_auc, _ranked(m, lang)),
        (
            translate("Average precision", lang),
            m.average_precision,
            translate("area under precision against recall", lang),
        ),
    ]
    plain = [
        (
            translate("Cohen's kappa", lang),
            m.kappa,
            translate("accuracy beyond chance; 0 is chance, 1 perfect", lang),
        ),
        (
            translate("Matthews correlation", lang),
            m.matthews,
            translate("of names and truth; 0 is chance", lang),
        ),
        (
            translate("Brier score", lang),
            m.brier,
            translate("squared distance of the probabilities from the truth; 0 is perfect", lang),
        ),
    ]
    rows = [
        _row(title, percent(i.value, lang), percent_range(i, lang), hint) for title, i, hint in shares if i
    ]
    for title, interval, hint in plain:
        if interval:
            between = translate(
                "{low} to {high}", lang, low=decimal(interval.low), high=decimal(interval.high)
            )
            rows.append(_row(title, decimal(interval.value), between, hint))
    head = [text(translate("Figure", lang)), text(translate("Value", lang)), text(translate("Meaning", lang))]
    caption = translate("Further figures", lang)
    return details(caption, table(caption, head, rows, "further"))


def ranking(m: Metrics, lang: Lang) -> str:
    """ROC-AUC and average precision of each class, the weakest first."""
    classes = sorted(
        (c for c in m.per_class if c.roc_auc is not None),
        key=lambda c: (_value(c.average_precision), c.label),
    )
    if not classes:
        return ""
    intro = translate(
        "ROC-AUC: how often an image of the class gets a higher probability of it than another image. "
        "Average precision: the mean precision as the class's images are found one by one, the surest first.",
        lang,
    )
    head = [
        text(translate("Class", lang)),
        text(translate("ROC-AUC", lang)),
        text(translate("Average precision", lang)),
    ]
    rows = [_class_row(c, lang) for c in classes]
    title = translate("How well each class is told from the others at any threshold", lang)
    return details(title, paragraph(intro) + table(title, head, rows, "classes"))


def _ranked(m: Metrics, lang: Lang) -> str:
    if len(m.labels) == 2:
        return translate("how well {label} is ranked before the other class", lang, label=m.labels[1])
    return translate("how well each class is ranked before the others, on average", lang)


def _row(title: str, value: str, between: str, hint: str) -> list[str]:
    figure = f'<b>{text(value)}</b><small class="between">{text(between)}</small>'
    return [text(title), figure, f"<small>{text(hint)}</small>"]


def _class_row(c: ClassMetrics, lang: Lang) -> list[str]:
    return [name(c.label), _figure(c.roc_auc, lang), _figure(c.average_precision, lang)]


def _figure(interval: Interval | None, lang: Lang) -> str:
    if interval is None:
        return "–"
    between = f'<small class="between">{text(percent_range(interval, lang))}</small>'
    return f"<b>{percent(interval.value, lang)}</b>{interval_bar(interval)}{between}"


def _value(interval: Interval | None) -> float:
    return -1.0 if interval is None else interval.value
