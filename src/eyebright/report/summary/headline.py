"""The verdict in plain words, and the key metrics with their intervals."""

from __future__ import annotations

from dataclasses import asdict
from math import ceil

from eyebright.evaluation.advice import well_covered
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.sections.more_metrics import further
from eyebright.report.summary.findings import majority_sentence
from eyebright.report.summary.metric_card import MetricCard, decimal_card, share_card
from eyebright.report.templating import render
from eyebright.text.format import measured_on, number, paragraph_of, percent, percent_range
from eyebright.text.language import translate

#: With fewer evaluated images all metrics are a first indication.
FEW_IMAGES = 100


def verdict(metrics: Metrics) -> tuple[str, ...]:
    """Return what the accuracy means for new images, and the weakest class, as plain sentences."""
    if metrics.accuracy.value >= 1.0:
        return (_flawless(metrics.count),)
    # Near perfection a hundred images are too few to show a difference.
    base = 1000 if metrics.accuracy.value > 0.985 else 100
    expected = translate(
        "Of {base} new images like these, about {value} will be classified correctly (between {low} "
        "and {high}).",
        base=number(base),
        value=number(round(base * metrics.accuracy.value)),
        low=number(round(base * metrics.accuracy.low)),
        high=number(round(base * metrics.accuracy.high)),
    )
    if len(known := well_covered(metrics)) < 2:
        return (expected,)
    weakest = min(known, key=lambda c: c.recall.value)
    found = translate(
        "Weakest class: {label}, recall {recall}.",
        label=weakest.label,
        recall=percent(weakest.recall.value, 0),
    )
    return expected, found


def headline(content: ReportContent) -> Section:
    """Return the five key metrics, and further ones folded away."""
    m = content.metrics
    cards = [
        share_card(translate("Accuracy"), m.accuracy, beside_majority(content)),
        share_card(
            translate("Balanced accuracy"),
            m.balanced_accuracy,
            translate("recall averaged over classes, all weighted equally"),
        ),
        share_card(
            translate("Macro F1"),
            m.macro_f1,
            translate("harmonic mean of precision and recall, averaged over classes"),
        ),
        decimal_card(
            translate("Log loss"),
            m.log_loss,
            translate("penalty for wrong or overconfident probabilities; 0 is perfect"),
        ),
        _calibration(content),
    ]
    few = m.count < FEW_IMAGES
    body = render("summary/headline.html", basis=basis(m), few=few, cards=cards, rows=further(m))
    return Section("figures", translate("Key metrics"), body)


def beside_majority(content: ReportContent) -> str:
    """Return what accuracy means, and what always predicting the most frequent class would reach."""
    return paragraph_of(
        translate("Share of images predicted correctly."), majority_sentence(asdict(content.majority))
    )


def basis(metrics: Metrics) -> str:
    """Return what the metrics were measured on, as a sentence."""
    return paragraph_of(
        translate("{what}.", what=measured_on(metrics.split, metrics.count)),
        translate("Ranges are 95 % intervals."),
    )


def _calibration(content: ReportContent) -> MetricCard:
    ece = content.metrics.ece
    value = percent(ece.value)
    meaning = translate("gap between confidence and accuracy; 0 is perfect")
    if content.ece_before is not None:
        value = f"{percent(content.ece_before)} → {value}"
        meaning = translate("gap between confidence and accuracy, before and after temperature scaling")
    return MetricCard(translate("Calibration error"), value, percent_range(ece), meaning)


def _flawless(count: int) -> str:
    # Seeing no error in N images still allows, at 95 %, an error rate of 1 - 0.05^(1/N).
    allowed = ceil(1000 * (1 - 0.05 ** (1 / max(count, 1))))
    return translate(
        "No mistakes on {count:evaluated image|evaluated images}. That is not enough to prove "
        "perfection: of 1,000 new images like these, up to {allowed} may still be misclassified.",
        count=number(count),
        allowed=number(allowed),
    )
