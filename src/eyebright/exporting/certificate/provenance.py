"""Where an export comes from: its classes, what it was made from, and under which licences."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from eyebright.exporting.base import ExportSource, Format
from eyebright.exporting.certificate.certificate import Certificate
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.certificate.integrity import read_exported
from eyebright.runtime.stored import STORED
from eyebright.sealed.metadata import HeadlineMetrics, StoredCard
from eyebright.types import Json, JsonObject

PROVENANCE = "provenance.json"
# How a model reads grey of 16 bits, and predicts beyond its probabilities; some formats have no place for it.
_RULES = ("white_level", "task", "thresholds", "unknown", "conformal", "operating_points", "costs")


def provenance(target: Format, source: ExportSource, certificate: Certificate) -> JsonObject:
    """Return the content of `provenance.json`.

    Licences are those at training time: the weights' from their card, the data's from the LICENSE file in the
    data's folder. What is not known is null. How the model predicts beyond its probabilities (thresholds, the
    rule for unknown images and the like) is included as far as the model has it.

    Args:
        target: the format.
        source: what was exported.
        certificate: that of the export.
    """
    facts, metrics = source.model.metadata, source.model.facts.metrics
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
        "card": source.model.card.content,
        "metrics": None if metrics is None else metrics.model_dump(exclude_unset=True),
        "compression": certificate.details.get("compression"),
        "versions": {"training": source.model.facts.versions, "export": dict(certificate.versions)},
        "notes": list(certificate.notes),
        **{key: _rule(key, facts[key]) for key in _RULES if key in facts},
    }


def _rule(name: str, text: str) -> Json:
    """Return the value of a rule's metadata entry; that of `task` is plain text."""
    value: Json = text if name == "task" else json.loads(text)
    return value


class StoredLicence(BaseModel):
    """The licences of the weights and of the data, as `provenance.json` holds them."""

    model_config = STORED

    weights: str | None = None
    data: str | None = None


class StoredProvenance(BaseModel):
    """What :func:`provenance` returned, as far as it is read back."""

    model_config = STORED

    labels: tuple[str, ...] = ()
    licence: StoredLicence = StoredLicence()
    config_sha256: str | None = None
    data_sha: str | None = None
    card: StoredCard | None = None
    metrics: HeadlineMetrics | None = None
    versions: dict[str, dict[str, str] | None] = {}


_PROVENANCE = TypeAdapter(StoredProvenance)


def read_provenance(folder: Path) -> StoredProvenance:
    """Return the content of an export's `provenance.json`; an empty one where there is none.

    Raises:
        ModelError: `eyebright export` did not write it.
    """
    path = folder / PROVENANCE
    if not path.exists():
        return StoredProvenance()
    return read_exported(_PROVENANCE, path)
