"""The model card: what a run's page says, as Markdown with the front matter of Hugging Face's hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from eyebright.data.manifest import SPLITS
from eyebright.evaluation.advice import FEWEST_EVALUATED
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.report.content import ReportContent
from eyebright.report.sections.update import updated_from
from eyebright.report.sections.usage import TIMM_SNIPPET, snippet
from eyebright.report.summary.assessment import assess, verdict_of
from eyebright.report.summary.claims import claims
from eyebright.report.summary.findings import majority_sentence
from eyebright.report.summary.headline import basis
from eyebright.report.templating import render_markdown
from eyebright.text.format import decimal, number, percent, percent_range, split_name
from eyebright.text.language import translate
from eyebright.types import JsonObject

#: The hub's own names of licences that weights commonly have; others are given as text.
_LICENCES = {
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "BSD-3-Clause": "bsd-3-clause",
    "CC-BY-4.0": "cc-by-4.0",
}
_HUB_NAMES = {"accuracy": "accuracy", "macro_f1": "f1", "balanced_accuracy": "balanced_accuracy"}


@dataclass(frozen=True)
class ModelCard:
    """The content of a model card, in plain text.

    Attributes:
        front_matter: lines of YAML.
        title: of the run.
        verdict: what the metrics mean for new images.
        facts: terms and values.
        claims: sentences about targets and promises, and whether they are kept.
        reliable, doubtful, steps: sentences about what one can rely on, what not, and what to do next.
        basis: what the metrics were measured on.
        metrics: name, value and interval of each.
        classes: label, images, precision and recall of each.
        snippet: Python that uses the model.
        timm_snippet: Python that loads the backbone into timm; empty where that is not possible.
    """

    front_matter: Sequence[str]
    title: str
    verdict: Sequence[str]
    facts: Sequence[tuple[str, str]]
    claims: Sequence[str]
    reliable: Sequence[str]
    doubtful: Sequence[str]
    steps: Sequence[str]
    basis: str
    metrics: Sequence[Sequence[str]]
    classes: Sequence[Sequence[str]]
    snippet: str
    timm_snippet: str


def model_card(content: ReportContent) -> str:
    """Return the card as Markdown; its metrics are those of the page, with their intervals."""
    said = assess(content)
    card = ModelCard(
        front_matter=_front_matter(content),
        title=content.title,
        verdict=_verdict(content),
        facts=_facts(content),
        claims=[claim.sentence for claim in claims(content.claimed())],
        reliable=[statement.sentence for statement in said.trust],
        doubtful=[statement.sentence for statement in said.doubt],
        steps=[statement.sentence for statement in said.steps],
        basis=basis(content.metrics),
        metrics=_metrics(content.metrics),
        classes=_classes(content.metrics),
        snippet=snippet(content),
        timm_snippet=TIMM_SNIPPET if content.for_timm else "",
    )
    return render_markdown("card.md", card=card)


def _verdict(content: ReportContent) -> list[str]:
    """Return what the metrics mean; what the most frequent class would reach tells nothing of anomalies."""
    said = list(verdict_of(content))
    return said if content.anomaly is not None else [*said, majority_sentence(asdict(content.majority))]


def _front_matter(content: ReportContent) -> list[str]:
    """Return lines of YAML, every value in JSON, which is YAML too."""
    licence = _LICENCES.get(content.licence, "other" if content.licence else "unknown")
    fields: JsonObject = {
        "license": licence,
        **({"license_name": content.licence} if licence == "other" else {}),
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "onnx", "eyebright"],
        "metrics": list(_HUB_NAMES.values()),
        "model-index": [{"name": content.title, "results": [_result(content)]}],
    }
    return [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]


def _result(content: ReportContent) -> JsonObject:
    metrics = content.metrics
    return {
        "task": {"type": "image-classification"},
        "dataset": {"name": content.manifest.root.name, "type": "imagefolder", "split": metrics.split},
        "metrics": [
            {"type": hub, "value": round(getattr(metrics, own).value, 4)} for own, hub in _HUB_NAMES.items()
        ],
    }


def _facts(content: ReportContent) -> list[tuple[str, str]]:
    pairs = {
        translate("Backbone"): f"{content.backbone}, {content.size} px",
        translate("Licence of the weights"): content.licence,
        translate("Classes"): ", ".join(content.metrics.labels),
        translate("Images"): ", ".join(
            f"{split_name(split)} {number(len(content.manifest.of(split)))}"
            for split in SPLITS
            if content.manifest.of(split)
        ),
        translate("Updated from"): "" if content.update is None else updated_from(content.update),
    }
    return [(term, value) for term, value in pairs.items() if value]


def _metrics(metrics: Metrics) -> list[tuple[str, str, str]]:
    names = {
        "accuracy": (
            translate("Exact-match accuracy") if "hamming_loss" in metrics.headline else translate("Accuracy")
        ),
        "hamming_loss": translate("Hamming loss"),
        "balanced_accuracy": translate("Balanced accuracy"),
        "macro_f1": translate("Macro F1"),
        "micro_f1": translate("Micro F1"),
        "log_loss": translate("Log loss"),
        "ece": translate("Calibration error"),
    }
    rows = []
    for key in metrics.headline:
        figure = getattr(metrics, key)
        if key == "log_loss":
            between = translate("{low} to {high}", low=decimal(figure.low), high=decimal(figure.high))
            rows.append((names[key], decimal(figure.value), between))
        else:
            rows.append((names[key], percent(figure.value), percent_range(figure)))
    return rows


def _classes(metrics: Metrics) -> list[tuple[str, ...]]:
    return [
        (
            c.label,
            number(c.support)
            if c.support >= FEWEST_EVALUATED
            else translate("{images}: too few to judge", images=number(c.support)),
            f"{percent(c.precision.value)} ({percent_range(c.precision)})",
            f"{percent(c.recall.value)} ({percent_range(c.recall)})",
        )
        for c in metrics.per_class
    ]
