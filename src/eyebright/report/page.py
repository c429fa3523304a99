"""The report: one HTML file with everything inside, which asks nothing of any network."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.anomaly.outcome import AnomalyOutcome
from eyebright.report.anomaly.sections import anomaly_sections
from eyebright.report.content import ReportContent
from eyebright.report.document import Section, document
from eyebright.report.multilabel.gallery import label_mistakes
from eyebright.report.multilabel.headline import label_headline
from eyebright.report.multilabel.tables import label_co_occurrence, label_reliability, per_label
from eyebright.report.sections.baseline import baseline
from eyebright.report.sections.classes import confusion, per_class
from eyebright.report.sections.dataset import dataset
from eyebright.report.sections.feature_map import feature_map
from eyebright.report.sections.gallery import examples, mistakes
from eyebright.report.sections.groups import groups
from eyebright.report.sections.learning_curve import learning_curve
from eyebright.report.sections.modalities import modalities
from eyebright.report.sections.ood import uncertainty
from eyebright.report.sections.operating import operating
from eyebright.report.sections.pairs import pairs
from eyebright.report.sections.reliability import reliability
from eyebright.report.sections.robustness import robustness
from eyebright.report.sections.selection import finetuning, parity_check, selection, time_spent
from eyebright.report.sections.slices import slices
from eyebright.report.sections.training_curves import training_curves
from eyebright.report.sections.unlabelled import unlabelled
from eyebright.report.sections.update import update
from eyebright.report.sections.usage import facts, usage
from eyebright.report.summary.assessment import assess, verdict_of
from eyebright.report.summary.claims import claims
from eyebright.report.summary.headline import headline
from eyebright.report.templating import render as filled
from eyebright.runtime.atomic import write_text


def write_report(path: Path, content: ReportContent) -> None:
    """Write the page to ``path``, whole or not at all.

    Images that cannot be read become placeholders.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    write_text(path, render(content))


def render(content: ReportContent) -> str:
    """Return the page as text."""
    sections = [section for section in _sections(content) if section is not None]
    return document(content.title, _head(content, sections), sections)


def _head(content: ReportContent, sections: list[Section]) -> Markup:
    """Return the verdict; a sentence whose evidence is not on the page has no link to it."""
    return filled(
        "summary/verdict.html",
        sentences=verdict_of(content),
        claims=claims(content.claimed()),
        random_weights=content.random_weights,
        assessment=assess(content),
        anchors={section.anchor for section in sections},
    )


def _sections(content: ReportContent) -> list[Section | None]:
    m = content.metrics
    if content.anomaly is not None:
        return _anomaly(content, content.anomaly)
    evaluated = _multilabel(content, m) if isinstance(m, LabelMetrics) else _single_label(content)
    return [
        *evaluated,
        learning_curve(content),
        unlabelled(content),
        selection(content),
        finetuning(content),
        training_curves(content),
        parity_check(content),
        time_spent(content),
        usage(content),
        facts(content),
    ]


def _single_label(content: ReportContent) -> list[Section | None]:
    return [
        headline(content),
        update(content),
        baseline(content),
        modalities(content),
        dataset(content),
        confusion(content),
        pairs(content),
        per_class(content),
        groups(content),
        slices(content),
        robustness(content),
        operating(content),
        reliability(content),
        uncertainty(content),
        mistakes(content),
        feature_map(content),
        examples(content),
    ]


def _anomaly(content: ReportContent, outcome: AnomalyOutcome) -> list[Section | None]:
    return [
        *anomaly_sections(outcome, content.metrics.split),
        operating(content),
        dataset(content),
        slices(content),
        parity_check(content),
        time_spent(content),
        usage(content),
        facts(content),
    ]


def _multilabel(content: ReportContent, m: LabelMetrics) -> list[Section | None]:
    return [
        label_headline(content, m),
        update(content),
        modalities(content),
        dataset(content),
        per_label(m),
        label_co_occurrence(m),
        groups(content),
        slices(content),
        robustness(content),
        operating(content),
        label_reliability(content, m),
        uncertainty(content),
        label_mistakes(content),
    ]
