"""The verdict in plain words, and the headline figures with their intervals."""

from __future__ import annotations

from math import ceil

from eyebright.evaluation.multiclass.results import Metrics
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.markup import (
    Section,
    decimal,
    number,
    paragraph,
    part_name,
    percent,
    percent_range,
    text,
)
from eyebright.report.sections.more_metrics import further
from eyebright.text.language import translate
from eyebright.types import Interval


def verdict(metrics: Metrics) -> tuple[str, ...]:
    """What the accuracy means for new images, and the class that is found least often; plain sentences."""
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
    present = [c for c in metrics.per_class if c.support]
    if len(present) < 2:
        return (expected,)
    weakest = min(present, key=lambda c: c.recall.value)
    found = translate(
        "Weakest class: {label}, recall {recall}.",
        label=weakest.label,
        recall=percent(weakest.recall.value, 0),
    )
    return expected, found


def headline(content: ReportContent) -> Section:
    """The five figures; probabilities' calibration before and after."""
    m = content.metrics
    cards = [
        share_card(translate("Accuracy"), m.accuracy, translate("share of images predicted correctly")),
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
        log_loss_card(m.log_loss),
        _calibration(content),
    ]
    note = ""
    if m.count < 100:
        few = translate("Fewer than 100 images were evaluated: treat these metrics as a first indication.")
        note = paragraph(few, "note")
    shown = f'<ul class="cards">{"".join(cards)}</ul>{further(m)}'
    return Section("figures", translate("Key metrics"), paragraph(basis(m)) + note + shown)


def basis(metrics: Metrics) -> str:
    """What the figures were measured on, as a sentence."""
    return translate(
        "Metrics on the {part} split ({count:image|images}). Ranges are 95 % intervals.",
        part=part_name(metrics.split),
        count=number(metrics.count),
    )


def _flawless(count: int) -> str:
    # Seeing no error in N images still allows, at 95 %, an error rate of 1 - 0.05^(1/N).
    allowed = ceil(1000 * (1 - 0.05 ** (1 / max(count, 1))))
    return translate(
        "No mistakes on {count:evaluated image|evaluated images}. That is not enough to prove "
        "perfection: of 1,000 new images like these, up to {allowed} may still be misclassified.",
        count=number(count),
        allowed=number(allowed),
    )


def share_card(title: str, interval: Interval, meaning: str) -> str:
    """A fraction with its interval, as text and as a bar."""
    value = percent(interval.value)
    return card(title, value, percent_range(interval), meaning, interval_bar(interval))


def log_loss_card(interval: Interval) -> str:
    """The log loss, in nats."""
    return card(
        translate("Log loss"),
        decimal(interval.value),
        translate("{low} to {high}", low=decimal(interval.low), high=decimal(interval.high)),
        translate("penalty for wrong or overconfident probabilities; 0 is perfect"),
    )


def _calibration(content: ReportContent) -> str:
    ece = content.metrics.ece
    value = percent(ece.value)
    if content.ece_before is not None:
        value = f"{percent(content.ece_before)} → {value}"
    return card(
        translate("Calibration error"),
        value,
        percent_range(ece),
        translate("gap between confidence and accuracy, before and after temperature scaling")
        if content.ece_before is not None
        else translate("gap between confidence and accuracy; 0 is perfect"),
    )


def card(title: str, value: str, between: str, meaning: str, chart: str = "") -> str:
    """One figure; all but ``chart`` are plain text."""
    return (
        f'<li><h3>{text(title)}</h3><p class="value">{text(value)}</p>{chart}'
        f'<p class="range">{text(between)}</p><p class="meaning">{text(meaning)}</p></li>'
    )
