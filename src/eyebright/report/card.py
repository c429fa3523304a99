"""The model card: what a run's page says, as Markdown with the front matter of Hugging Face's hub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from eyebright.evaluation.multiclass.results import Metrics
from eyebright.report.content import ReportContent
from eyebright.report.markup import decimal, number, part_name, percent, percent_range
from eyebright.report.multilabel.headline import sentences
from eyebright.report.sections.usage import snippet
from eyebright.report.summary.assessment import Statement, judgement
from eyebright.report.summary.headline import basis
from eyebright.text.language import translate

#: The hub's own names of licences that weights commonly have; others are given as text.
_LICENCES = {
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "BSD-3-Clause": "bsd-3-clause",
    "CC-BY-4.0": "cc-by-4.0",
}
_HUB_NAMES = {"accuracy": "accuracy", "macro_f1": "f1", "balanced_accuracy": "balanced_accuracy"}


def model_card(content: ReportContent) -> str:
    """The card as text; its figures are those of the page, with their intervals."""
    said = judgement(content)
    parts = [
        _front_matter(content),
        f"# {_plain(content.title)}",
        "\n\n".join(_plain(sentence) for sentence in sentences(content.metrics)),
        _facts(content),
        _list(translate("What you can rely on"), said.trust),
        _list(translate("What you cannot rely on"), said.doubt),
        _figures(content.metrics),
        _classes(content.metrics),
        _list(translate("Best next steps"), said.steps),
        f"## {translate('How to use the model')}\n\n```python\n{snippet(content.metrics)}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(content: ReportContent) -> str:
    """YAML, every value of it in JSON, which is YAML too."""
    licence = _LICENCES.get(content.licence, "other" if content.licence else "unknown")
    fields: dict[str, Any] = {
        "license": licence,
        **({"license_name": content.licence} if licence == "other" else {}),
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "onnx", "eyebright"],
        "metrics": list(_HUB_NAMES.values()),
        "model-index": [{"name": content.title, "results": [_result(content)]}],
    }
    lines = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return f"---\n{lines}\n---"


def _result(content: ReportContent) -> dict[str, Any]:
    metrics = content.metrics
    return {
        "task": {"type": "image-classification"},
        "dataset": {"name": content.manifest.root.name, "type": "imagefolder", "split": metrics.split},
        "metrics": [
            {"type": hub, "value": round(getattr(metrics, own).value, 4)} for own, hub in _HUB_NAMES.items()
        ],
    }


def _facts(content: ReportContent) -> str:
    pairs = {
        translate("Backbone"): f"{content.backbone}, {content.size} px",
        translate("Licence of the weights"): content.licence,
        translate("Classes"): ", ".join(content.metrics.labels),
        translate("Images"): ", ".join(
            f"{part_name(split)} {number(len(content.manifest.of(split)))}"
            for split in ("train", "val", "test")
        ),
    }
    return "\n".join(f"- **{key}:** {_plain(value)}" for key, value in pairs.items() if value)


def _figures(metrics: Metrics) -> str:
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
    head = ("", "", translate("95 % interval"))
    return f"## {translate('Key metrics')}\n\n{basis(metrics)}\n\n{_table(head, rows)}"


def _classes(metrics: Metrics) -> str:
    head = (
        translate("Class"),
        translate("Images"),
        translate("Precision"),
        translate("Recall"),
    )
    rows = [
        (
            c.label,
            number(c.support),
            f"{percent(c.precision.value)} ({percent_range(c.precision)})",
            f"{percent(c.recall.value)} ({percent_range(c.recall)})",
        )
        for c in metrics.per_class
    ]
    return f"## {translate('Results by class')}\n\n{_table(head, rows)}"


def _list(title: str, statements: Sequence[Statement]) -> str:
    if not statements:
        return ""
    return f"## {title}\n\n" + "\n".join(f"- {_plain(s.sentence)}" for s in statements)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_plain(cell) for cell in line)} |" for line in lines)


def _plain(value: str) -> str:
    """Text without meaning to Markdown: names of classes and folders are the user's."""
    clean = value.encode("utf-8", "replace").decode("utf-8").replace("\n", " ").replace("\r", " ")
    return "".join(f"\\{c}" if c in "\\*_[]<>|#" else c for c in clean)
