"""The report: one HTML file with everything inside, which asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, paragraph, text
from eyebright.report.multilabel.gallery import label_mistakes
from eyebright.report.multilabel.headline import label_headline, sentences
from eyebright.report.multilabel.tables import honest, per_label, together
from eyebright.report.sections.baseline import beside_parent
from eyebright.report.sections.classes import confusion, per_class
from eyebright.report.sections.dataset import dataset
from eyebright.report.sections.feature_map import feature_map
from eyebright.report.sections.gallery import examples, mistakes
from eyebright.report.sections.learning_curve import data_curve
from eyebright.report.sections.ood import unknown
from eyebright.report.sections.operating import operating
from eyebright.report.sections.pairs import pairs
from eyebright.report.sections.reliability import reliability
from eyebright.report.sections.robustness import robustness
from eyebright.report.sections.selection import choices, proof, stages, tunings
from eyebright.report.sections.slices import slices
from eyebright.report.sections.training_curves import learning
from eyebright.report.sections.usage import facts, usage
from eyebright.report.summary.headline import headline
from eyebright.report.summary.verdict import verdict_lists
from eyebright.runtime.atomic import write_text
from eyebright.text.language import language, translate

# Five petals and the yellow spot of the flower.
_MARK = (
    '<svg class="logo" viewBox="0 0 24 24" aria-hidden="true"><g>'
    + "".join(
        f'<ellipse cx="12" cy="5.6" rx="3.4" ry="4.8" transform="rotate({72 * i} 12 12)"/>' for i in range(5)
    )
    + '</g><circle cx="12" cy="12" r="2.6"/></svg>'
)


def write_report(path: Path, content: ReportContent) -> None:
    """Writes the page to ``path``, whole or not at all.

    Images that cannot be read become placeholders.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    write_text(path, render(content))


def render(content: ReportContent) -> str:
    """The page as text."""
    sections = [section for section in _sections(content) if section is not None]
    words = "".join(paragraph(sentence, "verdict") for sentence in sentences(content.metrics))
    lists = verdict_lists(content, {section.anchor for section in sections})
    return document(content.title, words + _alarm(content) + lists, sections)


def document(title: str, head: str, sections: Sequence[Section]) -> str:
    """A whole page.

    Args:
        title: plain text.
        head: HTML that stands under the title.
        sections: in their order; the contents list them.
    """
    links = "".join(f'<li><a href="#{s.anchor}">{text(s.title)}</a></li>' for s in sections)
    body = "".join(section.html() for section in sections)
    script = _resource("page.js") + _resource("map.js")
    return (
        f'<!DOCTYPE html><html lang="{"zh-Hans" if language() == "zh" else "en"}">'
        '<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{text(title)}</title><style>{_resource('page.css')}</style></head><body>"
        f'<a class="skip" href="#main">{text(translate("Skip to content"))}</a>'
        f'<header><p class="brand">{_MARK}Eyebright</p><h1>{text(title)}</h1>{head}</header>'
        f'<div class="columns"><nav aria-label="{text(translate("Contents"))}"><ol>{links}</ol></nav>'
        f'<main id="main" tabindex="-1">{body}</main></div><script>{script}</script></body></html>\n'
    )


def _sections(content: ReportContent) -> list[Section | None]:
    m = content.metrics
    judged = _of_labels(content, m) if isinstance(m, LabelMetrics) else _of_classes(content)
    return [
        *judged,
        data_curve(content),
        choices(content),
        tunings(content),
        learning(content),
        proof(content),
        stages(content),
        usage(m),
        facts(content),
    ]


def _of_classes(content: ReportContent) -> list[Section | None]:
    return [
        headline(content),
        beside_parent(content),
        dataset(content),
        confusion(content),
        pairs(content),
        per_class(content),
        slices(content),
        robustness(content),
        operating(content),
        reliability(content),
        unknown(content),
        mistakes(content),
        feature_map(content),
        examples(content),
    ]


def _of_labels(content: ReportContent, m: LabelMetrics) -> list[Section | None]:
    return [
        label_headline(content, m),
        dataset(content),
        per_label(m),
        together(m),
        slices(content),
        robustness(content),
        operating(content),
        honest(content, m),
        unknown(content),
        label_mistakes(content),
    ]


def _alarm(content: ReportContent) -> str:
    if not content.random_weights:
        return ""
    warning = translate(
        "Random weights: the backbone was not pretrained (--weights none). With pretrained weights "
        "it would need far fewer images."
    )
    return paragraph(warning, "alarm")


def _policy(script: str) -> str:
    """Nothing is fetched, and no script but the page's own runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _resource(filename: str) -> str:
    return files("eyebright.report").joinpath(filename).read_text(encoding="utf-8")
