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
from eyebright.types import Lang

#: The hub's own names of licences that weights commonly have; others are given as text.
_LICENCES = {
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "BSD-3-Clause": "bsd-3-clause",
    "CC-BY-4.0": "cc-by-4.0",
}
_HUB_NAMES = {"accuracy": "accuracy", "macro_f1": "f1", "balanced_accuracy": "balanced_accuracy"}


def model_card(content: ReportContent, lang: Lang) -> str:
    """The card as text; its figures are those of the page, with their intervals."""
    said = judgement(content, lang)
    parts = [
        _front_matter(content),
        f"# {_plain(content.title)}",
        "\n\n".join(_plain(sentence) for sentence in sentences(content.metrics, lang)),
        _facts(content, lang),
        _list(translate("You can trust it with", lang), said.trust),
        _list(translate("Do not trust it with", lang), said.doubt),
        _figures(content.metrics, lang),
        _classes(content.metrics, lang),
        _list(translate("What would help most", lang), said.steps),
        f"## {translate('How to use the model', lang)}\n\n```python\n{snippet(content.metrics)}```",
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


def _facts(content: ReportContent, lang: Lang) -> str:
    pairs = {
        translate("Backbone", lang): f"{content.backbone}, {content.size} px",
        translate("Licence of the weights", lang): content.licence,
        translate("Classes", lang): ", ".join(content.metrics.labels),
        translate("Images", lang): ", ".join(
            f"{part_name(split, lang)} {number(len(content.manifest.of(split)))}"
            for split in ("train", "val", "test")
        ),
    }
    return "\n".join(f"- **{key}:** {_plain(value)}" for key, value in pairs.items() if value)


def _figures(metrics: Metrics, lang: Lang) -> str:
    names = {
        "accuracy": (
            translate("All labels right", lang)
            if "hamming_loss" in metrics.headline
            else translate("Accuracy", lang)
        ),
        "hamming_loss": translate("Wrong answers (Hamming loss)", lang),
        "balanced_accuracy": translate("Balanced accuracy", lang),
        "macro_f1": translate("Macro F1", lang),
        "micro_f1": translate("Micro F1", lang),
        "log_loss": translate("Log loss", lang),
        "ece": translate("Calibration error", lang),
    }
    rows = []
    for key in metrics.headline:
        figure = getattr(metrics, key)
        if key == "log_loss":
            between = translate("{low} to {high}", lang, low=decimal(figure.low), high=decimal(figure.high))
            rows.append((names[key], decimal(figure.value), between))
        else:
            rows.append((names[key], percent(figure.value, lang), percent_range(figure, lang)))
    head = ("", "", translate("95 % interval", lang))
    return f"## {translate('Headline figures', lang)}\n\n{basis(metrics, lang)}\n\n{_table(head, rows)}"


def _classes(metrics: Metrics, lang: Lang) -> str:
    head = (
        translate("Class", lang),
        translate("Images", lang),
        translate("Precision", lang),
        translate("Recall", lang),
    )
    rows = [
        (
            c.label,
            number(c.support),
            f"{percent(c.precision.value, lang)} ({percent_range(c.precision, lang)})",
            f"{percent(c.recall.value, lang)} ({percent_range(c.recall, lang)})",
        )
        for c in metrics.per_class
    ]
    return f"## {translate('Class by class', lang)}\n\n{_table(head, rows)}"


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
