"""Multi-label: each label's metrics and errors, which labels occur together, and the calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from eyebright.evaluation.advice import FEWEST_EVALUATED
from eyebright.evaluation.multiclass.results import ClassMetrics
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.charts.confusion import confusion_table, heat_grid
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.sections.more_metrics import ranking
from eyebright.report.sections.reliability import diagram_section
from eyebright.report.templating import render
from eyebright.text.language import translate
from eyebright.types import Interval

_TABLE_LABELS = 30


@dataclass(frozen=True)
class LabelRow:
    """A label, its errors, and precision, recall and F1, each with its chart."""

    label: str
    images: int
    false_negatives: int
    false_positives: int
    metrics: tuple[tuple[Interval, Markup], ...]


def per_label(m: LabelMetrics) -> Section:
    """Return precision, recall, F1 and the errors of each label, the weakest first."""
    errors = zip(m.per_class, m.false_negatives, m.false_positives, strict=True)
    rows = [
        _row(c, int(missed), int(invented))
        for c, missed, invented in sorted(errors, key=lambda row: (row[0].f1.value, row[0].label))
    ]
    thresholds = ", ".join(f"{label} {t:.3g}" for label, t in zip(m.labels, m.thresholds, strict=True))
    body = render(
        "multilabel/labels.html",
        rows=rows,
        thresholds=thresholds,
        ranking=ranking(m),
        fewest=FEWEST_EVALUATED,
    )
    return Section("classes", translate("Results by label"), body)


def label_co_occurrence(m: LabelMetrics) -> Section | None:
    """Return how many images have two labels both, as a table or, of many labels, as shades."""
    if len(m.labels) < 2:
        return None
    if len(m.labels) <= _TABLE_LABELS:
        caption = translate("Images with both labels, shaded by share of the row's diagonal")
        grid = confusion_table(m.together, m.labels, caption, "", linked=False)
    else:
        description = translate("Co-occurrence of {count:label|labels}, as shades", count=len(m.labels))
        grid = heat_grid(m.together, description)
    body = render("multilabel/co_occurrence.html", grid=grid, inseparable=_inseparable(m))
    return Section("together", translate("Label co-occurrence"), body)


def label_reliability(content: ReportContent, m: LabelMetrics) -> Section | None:
    """Return the reliability diagram of all predictions, with what it says."""
    if not m.reliability:
        return None
    scaled = content.ece_before is not None and content.temperature is not None
    words = render("multilabel/reliability.html", content=content, ece=m.ece, scaled=scaled)
    head = (
        translate("Probability"),
        translate("Predictions"),
        translate("Mean probability"),
        translate("Observed frequency"),
    )
    return diagram_section(m.reliability, words, head, translate("Values of the diagram"))


def _row(c: ClassMetrics, missed: int, invented: int) -> LabelRow:
    metrics = tuple((interval, interval_bar(interval)) for interval in (c.precision, c.recall, c.f1))
    return LabelRow(c.label, c.support, missed, invented, metrics)


def _inseparable(m: LabelMetrics) -> list[str]:
    """Return pairs of labels that are never seen apart, so that no metric of this split tells them apart."""
    alone = np.diag(m.together)
    return [
        f"{m.labels[i]} + {m.labels[j]}"
        for i, j in zip(*np.triu_indices(len(m.labels), 1), strict=True)
        if m.together[i, j] == alone[i] == alone[j] > 0
    ][:_TABLE_LABELS]
