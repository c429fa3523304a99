"""Where an image may have several labels: the verdict in plain words, and the headline figures."""

from __future__ import annotations

from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.content import ReportContent
from eyebright.report.markup import (
    Section,
    decimal,
    details,
    number,
    paragraph,
    percent,
    percent_range,
    table,
    text,
)
from eyebright.report.summary.headline import basis, card, log_loss_card, share_card, verdict
from eyebright.text.language import translate
from eyebright.types import Interval


def sentences(m: Metrics) -> tuple[str, ...]:
    """What the figures mean for new images, of one label an image or of several."""
    return label_verdict(m) if isinstance(m, LabelMetrics) else verdict(m)


def label_verdict(m: LabelMetrics) -> tuple[str, ...]:
    """What the figures mean for new images, and the weakest label; plain sentences."""
    whole = translate(
        "Of 100 new images like these, about {value} will get exactly the right labels (between "
        "{low} and {high}). Of 100 single label predictions, about {wrong} will be wrong.",
        value=number(round(100 * m.accuracy.value)),
        low=number(round(100 * m.accuracy.low)),
        high=number(round(100 * m.accuracy.high)),
        wrong=f"{100 * m.hamming_loss.value:.1f}",
    )
    present = [c for c in m.per_class if c.support]
    if not present:
        return (whole,)
    weakest = min(present, key=lambda c: c.f1.value)
    return whole, translate(
        "Weakest label: {label}, recall {recall}, precision {precision}.",
        label=weakest.label,
        recall=percent(weakest.recall.value, 0),
        precision=percent(weakest.precision.value, 0),
    )


def label_headline(content: ReportContent, m: LabelMetrics) -> Section:
    """The six figures, and further ones folded away."""
    ece = percent(m.ece.value)
    if content.ece_before is not None:
        ece = f"{percent(content.ece_before)} → {ece}"
    cards = [
        share_card(
            translate("Exact-match accuracy"),
            m.accuracy,
            translate("share of images with exactly the right labels"),
        ),
        share_card(
            translate("Hamming loss"),
            m.hamming_loss,
            translate("share of wrong predictions over all images and labels"),
        ),
        share_card(
            translate("Macro F1"),
            m.macro_f1,
            translate("harmonic mean of precision and recall, averaged over labels"),
        ),
        share_card(translate("Micro F1"), m.micro_f1, translate("F1 over all predictions pooled")),
        log_loss_card(m.log_loss),
        card(
            translate("Calibration error"),
            ece,
            percent_range(m.ece),
            translate("gap between predicted probability and observed frequency; 0 is perfect"),
        ),
    ]
    body = f'{paragraph(basis(m))}<ul class="cards">{"".join(cards)}</ul>{_further(m)}'
    return Section("figures", translate("Key metrics"), body)


def _further(m: LabelMetrics) -> str:
    shares = [
        (
            translate("Macro recall"),
            m.balanced_accuracy,
            translate("recall averaged over labels, all weighted equally"),
        ),
        (
            translate("Weighted F1"),
            m.weighted_f1,
            translate("F1 averaged over labels, weighted by their number of images"),
        ),
        (
            translate("ROC-AUC"),
            m.roc_auc,
            translate("how well images with a label are ranked above those without, averaged over labels"),
        ),
        (
            translate("Average precision (mAP)"),
            m.average_precision,
            translate("area under the precision-recall curve, averaged over labels"),
        ),
    ]
    rows = [_row(title, percent(i.value), percent_range(i), hint) for title, i, hint in shares if i]
    hint = translate("squared error of the probabilities; 0 is perfect")
    rows.append(_row(translate("Brier score"), decimal(m.brier.value), _decimals(m.brier), hint))
    head = [text(translate("Metric")), text(translate("Value")), text(translate("Meaning"))]
    caption = translate("More metrics")
    return details(caption, table(caption, head, rows, "further"))


def _row(title: str, value: str, between: str, hint: str) -> list[str]:
    figure = f'<b>{text(value)}</b><small class="between">{text(between)}</small>'
    return [text(title), figure, f"<small>{text(hint)}</small>"]


def _decimals(interval: Interval) -> str:
    return translate("{low} to {high}", low=decimal(interval.low), high=decimal(interval.high))
