"""Multi-label: the verdict in plain words, and the key metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from eyebright.evaluation.advice import well_covered
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.summary.findings import majority_sentence
from eyebright.report.summary.headline import FEW_IMAGES, basis, verdict
from eyebright.report.summary.metric_card import MetricCard, decimal_card, share_card, share_row
from eyebright.report.templating import render
from eyebright.text.format import number, paragraph_of, percent, percent_range
from eyebright.text.language import translate


def sentences(m: Metrics) -> tuple[str, ...]:
    """Return what the metrics mean for new images, single-label or multi-label."""
    return label_verdict(m) if isinstance(m, LabelMetrics) else verdict(m)


def label_verdict(m: LabelMetrics) -> tuple[str, ...]:
    """Return plain sentences: what the metrics mean for new images, and the weakest label."""
    whole = translate(
        "Of 100 new images like these, about {value} will get exactly the right labels (between "
        "{low} and {high}). Of 100 single label predictions, about {wrong} will be wrong.",
        value=number(round(100 * m.accuracy.value)),
        low=number(round(100 * m.accuracy.low)),
        high=number(round(100 * m.accuracy.high)),
        wrong=f"{100 * m.hamming_loss.value:.1f}",
    )
    if not (known := well_covered(m)):
        return (whole,)
    weakest = min(known, key=lambda c: c.f1.value)
    return whole, translate(
        "Weakest label: {label}, recall {recall}, precision {precision}.",
        label=weakest.label,
        recall=percent(weakest.recall.value, 0),
        precision=percent(weakest.precision.value, 0),
    )


def label_headline(content: ReportContent, m: LabelMetrics) -> Section:
    """Return the six key metrics, and further ones folded away."""
    body = render(
        "summary/headline.html",
        basis=basis(m),
        few=m.count < FEW_IMAGES,
        cards=list(_key_metrics(content, m)),
        rows=list(_further(m)),
    )
    return Section("figures", translate("Key metrics"), body)


def _key_metrics(content: ReportContent, m: LabelMetrics) -> Iterator[MetricCard]:
    yield share_card(
        translate("Exact-match accuracy"),
        m.accuracy,
        paragraph_of(
            translate("Share of images with exactly the right labels."),
            majority_sentence(asdict(content.majority)),
        ),
    )
    yield share_card(
        translate("Hamming loss"),
        m.hamming_loss,
        translate("share of wrong predictions over all images and labels"),
    )
    yield share_card(
        translate("Macro F1"),
        m.macro_f1,
        translate("harmonic mean of precision and recall, averaged over labels"),
    )
    yield share_card(translate("Micro F1"), m.micro_f1, translate("F1 over all predictions pooled"))
    yield decimal_card(
        translate("Log loss"),
        m.log_loss,
        translate("penalty for wrong or overconfident probabilities; 0 is perfect"),
    )
    ece = percent(m.ece.value)
    yield MetricCard(
        translate("Calibration error"),
        ece if content.ece_before is None else f"{percent(content.ece_before)} → {ece}",
        percent_range(m.ece),
        translate("gap between predicted probability and observed frequency; 0 is perfect"),
    )


def _further(m: LabelMetrics) -> Iterator[MetricCard]:
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
    for title, interval, meaning in shares:
        if interval:
            yield share_row(title, interval, meaning)
    yield decimal_card(
        translate("Brier score"),
        m.brier,
        translate("squared error of the probabilities; 0 is perfect"),
    )
