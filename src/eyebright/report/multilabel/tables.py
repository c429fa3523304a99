"""Where an image may have several labels: each label's figures and errors, and which come together."""

from __future__ import annotations

import numpy as np

from eyebright.evaluation.multiclass.results import ClassMetrics
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.charts.confusion import confusion_table, heat_grid
from eyebright.report.content import ReportContent
from eyebright.report.markup import (
    Section,
    name,
    number,
    paragraph,
    percent,
    table,
    text,
)
from eyebright.report.sections.classes import figure_cell
from eyebright.report.sections.more_metrics import ranking
from eyebright.report.sections.reliability import diagram_section
from eyebright.text.language import translate

_TABLE_LABELS = 30


def per_label(m: LabelMetrics) -> Section:
    """Precision, recall, F1 and the errors of each label, the weakest first."""
    errors = zip(m.per_class, m.missed, m.invented, strict=True)
    rows = [
        [
            _name(c, int(missed), int(invented)),
            figure_cell(c.precision),
            figure_cell(c.recall),
            figure_cell(c.f1),
        ]
        for c, missed, invented in sorted(errors, key=lambda row: (row[0].f1.value, row[0].label))
    ]
    head = [
        text(translate("Label")),
        text(translate("Precision")),
        text(translate("Recall")),
        text(translate("F1")),
    ]
    thresholds = ", ".join(f"{label} {t:.3g}" for label, t in zip(m.labels, m.thresholds, strict=True))
    words = paragraph(
        translate(
            "Precision: share of the images predicted with this label that have it. Recall: share of "
            "the images with this label for which it is predicted. F1 is their harmonic mean. False "
            "negatives: images with the label for which it is not predicted. False positives: images "
            "without the label for which it is predicted. The weakest label comes first."
        )
    )
    rule = translate("Minimum probability for predicting each label: {thresholds}.", thresholds=thresholds)
    body = words + table(translate("Metrics by label"), head, rows, "classes")
    return Section("classes", translate("Results by label"), body + paragraph(rule) + ranking(m))


def together(m: LabelMetrics) -> Section | None:
    """How many images have two labels both, as a table or, of many labels, as shades."""
    if len(m.labels) < 2:
        return None
    words = paragraph(
        translate(
            "Images of the evaluated split that have both labels; the diagonal counts the images "
            "that have the label. Labels that always occur together were never seen apart, so the "
            "model may have learned only the pair."
        )
    )
    if len(m.labels) <= _TABLE_LABELS:
        caption = translate("Images with both labels, shaded by share of the row's diagonal")
        grid = confusion_table(m.together, m.labels, caption, "", linked=False)
    else:
        description = translate("Co-occurrence of {count:label|labels}, as shades", count=len(m.labels))
        grid = heat_grid(m.together, description)
    return Section("together", translate("Label co-occurrence"), f"{words}{grid}{_pairs(m)}")


def honest(content: ReportContent, m: LabelMetrics) -> Section | None:
    """The reliability diagram of all answers, with what it says."""
    if not m.reliability:
        return None
    words = paragraph(
        translate(
            "Of the predictions with a probability of 80 %, 80 of 100 should be true. Bars on the "
            "dashed line are well calibrated; below it the model is overconfident, above it "
            "underconfident. The predictions of all labels are pooled."
        )
    )
    if content.ece_before is not None and content.temperature is not None:
        scaling = translate(
            "Calibration error: {before} before temperature scaling, {after} with temperature {temperature}.",
            before=percent(content.ece_before),
            temperature=f"{content.temperature:.2f}",
            after=percent(m.ece.value),
        )
        words += paragraph(scaling)
    head = (
        translate("Probability"),
        translate("Predictions"),
        translate("Mean probability"),
        translate("Observed frequency"),
    )
    return diagram_section(m.reliability, words, head, translate("Values of the diagram"))


def _pairs(m: LabelMetrics) -> str:
    """Names the labels that are never seen apart, which no figure of this part can tell apart."""
    alone = np.diag(m.together)
    inseparable = [
        (i, j)
        for i, j in zip(*np.triu_indices(len(m.labels), 1), strict=True)
        if m.together[i, j] == alone[i] == alone[j] > 0
    ]
    if not inseparable:
        return ""
    pairs = ", ".join(f"{m.labels[i]} + {m.labels[j]}" for i, j in inseparable[:_TABLE_LABELS])
    return paragraph(translate("Always together in this split: {pairs}.", pairs=pairs), "note")


def _name(c: ClassMetrics, missed: int, invented: int) -> str:
    counts = translate(
        "{count:image|images}, {missed:false negative|false negatives}, {invented:false "
        "positive|false positives}",
        count=number(c.support),
        missed=number(missed),
        invented=number(invented),
    )
    return f"{name(c.label)}<small>{text(counts)}</small>"
