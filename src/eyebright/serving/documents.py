"""What a model says of itself, and what vouches for it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from eyebright.errors import EyebrightError
from eyebright.exporting.certificate.integrity import CERTIFICATE, EXPORTS, export_folder, read_certificate
from eyebright.runs.metrics import METRICS, read_metrics
from eyebright.runtime.stored import read_stored
from eyebright.serving.served_model import ServedModel
from eyebright.types import Json, JsonObject


def card_json(name: str, model: ServedModel) -> JsonObject:
    """Return what a model is, from the metadata in its file and the model card of its run.

    Args:
        name: under which it is served.
        model: the model.
    """
    facts, rule = model.sealed.facts, model.sealed.set_rule
    unknown, costs = model.sealed.unknown_rule, facts.decisions.costs
    return {
        "name": name,
        "sha256": model.sha256,
        "labels": list(facts.labels),
        "multilabel": facts.decisions.multilabel,
        "card": facts.card.model_dump(mode="json"),
        "metrics": None
        if facts.metrics is None
        else facts.metrics.model_dump(mode="json", exclude_unset=True),
        "operating_points": [_plain(point) for point in facts.points],
        "costs": None if costs is None else costs.tolist(),
        "unknown": None if unknown is None else _plain(unknown),
        "prediction_sets": None if rule is None else rule.to_json(),
        "versions": facts.versions,
        "model_card": _text(model.path.with_name("model_card.md")),
    }


def certificate_json(model: ServedModel) -> JsonObject:
    """Return what was checked of a model: by its run, by its exports, and when it was loaded."""
    return {
        "sha256": model.sha256,
        "parity": _parity(model.path),
        "exports": _certificates(model.path),
        "start": {
            "engine": model.predictor.engine,
            "photographs": len(model.references) if model.proven else 0,
            "answers_as_in_training": model.proven and model.failure is None,
        },
    }


def _parity(path: Path) -> Json:
    try:
        content = read_metrics(path.with_name(METRICS)).model_dump(mode="json")
    except EyebrightError:
        return None
    found: Json = content.get("parity")
    return found


def _certificates(path: Path) -> list[Json]:
    """Return the certificates of the exports beside a model, or of the export that it is."""
    own = export_folder(path)
    folders = [own] if own else sorted(p.parent for p in path.parent.glob(f"{EXPORTS}/*/{CERTIFICATE}"))
    found: list[Json] = []
    for folder in folders:
        try:
            found.append({"export": folder.name, **read_certificate(folder).model_dump(mode="json")})
        except EyebrightError:
            found.append({"export": folder.name, "error": "it was not written by Eyebright"})
    return found


def _plain(rule: object) -> Json:
    fields: Json = asdict(rule)  # type: ignore[call-overload]
    return fields


def _text(path: Path) -> str | None:
    try:
        return read_stored(path).decode("utf-8")
    except (OSError, ValueError):
        return None
