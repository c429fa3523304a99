"""Where an export comes from: its classes, what it was made from, and under which licences."""

from __future__ import annotations

import json
from typing import Any

from eyebright.exporting.base import ExportSource, Format
from eyebright.exporting.certificate.certificate import Certificate
from eyebright.exporting.certificate.hashes import sha256

PROVENANCE = "provenance.json"
# How a model reads grey of 16 bits, and predicts beyond its probabilities; some formats have no place for it.
_RULES = ("white_level", "task", "thresholds", "unknown", "conformal", "operating_points", "costs")


def provenance(target: Format, source: ExportSource, certificate: Certificate) -> dict[str, Any]:
    """Return the content of `provenance.json`.

    Licences are those at training time: the weights' from their card, the data's from the LICENSE file in the
    data's folder. What is not known is null. How the model predicts beyond its probabilities (thresholds, the
    rule for unknown images and the like) is included as far as the model has it.

    Args:
        target: the format.
        source: what was exported.
        certificate: that of the export.
    """
    facts = source.model.metadata
    config = source.model.path.with_name("config.toml")
    return {
        "format": target.name,
        "precision": source.precision,
        "input": target.input,
        "labels": list(source.labels),
        "licence": {"weights": facts.get("licence"), "data": facts.get("data_licence")},
        "parent_sha256": certificate.parent_sha256,
        "config_sha256": sha256(config) if config.is_file() else None,
        "data_sha": facts.get("data_sha"),
        "card": source.model.card,
        "metrics": _json(facts.get("metrics")),
        "compression": certificate.details.get("compression"),
        "versions": {"training": _json(facts.get("versions")), "export": dict(certificate.versions)},
        "notes": list(target.notes),
        **{key: metadata_value(facts[key]) for key in _RULES if key in facts},
    }


def metadata_value(text: str) -> Any:
    """Return a metadata entry: JSON, or plain text such as the name of a task or licence."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
