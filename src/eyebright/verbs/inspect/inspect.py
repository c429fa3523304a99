"""`inspect`: what a file is, where it comes from, and whether it is still what was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from eyebright.errors import ModelError, NotFoundError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.certificate.integrity import (
    CERTIFICATE,
    FileCheck,
    check_files,
    export_folder,
    parent_of,
    read_certificate,
)
from eyebright.exporting.certificate.provenance import PROVENANCE, metadata_value
from eyebright.exporting.certificate.signature import Signature, signature, stored_facts
from eyebright.runs.integrity import recorded_sha256
from eyebright.runtime.context import stage
from eyebright.verbs.inspect.options import InspectConfig
from eyebright.verbs.inspect.result import Inspection

_FORMATS = {".xml": "openvino", ".html": "html"}


@stage
def inspect(config: InspectConfig) -> Inspection:
    """Return the facts on a file or folder that Eyebright wrote; nothing in it is run.

    Args:
        config: which file or folder.

    Raises:
        NotFoundError: it does not exist.
        ModelError: it was not written by Eyebright.
    """
    path = config.path
    if not path.exists():
        raise NotFoundError("The path to inspect must exist. {path} does not. Check the path.", path=path)
    folder = export_folder(path)
    if folder is not None:
        return _export(folder)
    return _sealed(path / "model.onnx" if path.is_dir() else path)


def _export(folder: Path) -> Inspection:
    certificate = read_certificate(folder)
    checks = check_files(folder, certificate)
    # What was changed is not read: it may be anything.
    changed = {check.name for check in checks if check.state != "unchanged"}
    origin = {} if PROVENANCE in changed else _provenance(folder)
    files = [folder / name for name in certificate["files"]]
    graph = next((path for path in files if path.suffix in (".onnx", ".xml") and path.is_file()), None)
    return Inspection(
        path=folder,
        kind="export",
        format=certificate["format"],
        precision=certificate.get("precision"),
        input=certificate.get("input"),
        passed=certificate.get("passed"),
        labels=tuple(origin.get("labels", ())),
        licence=origin.get("licence", {}),
        card=origin.get("card"),
        metrics=origin.get("metrics"),
        hashes={
            "sha256": certificate.get("sha256"),
            "parent_sha256": certificate.get("parent_sha256"),
            "config_sha256": origin.get("config_sha256"),
            "data_sha": origin.get("data_sha"),
        },
        versions=origin.get("versions", {"export": certificate.get("versions")}),
        signature=signature(graph) if graph is not None and not changed else None,
        files=checks,
        parent=parent_of(folder, certificate),
        notes=tuple(map(str, certificate.get("notes", ()))),
    )


def _provenance(folder: Path) -> dict[str, Any]:
    path = folder / PROVENANCE
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(
            "provenance.json must be a file written by `eyebright export`. {path} is not: {reason}. "
            "Export the model again.",
            path=path,
            reason=error,
        ) from error


def _sealed(path: Path) -> Inspection:
    facts, graph = _read(path)
    recorded = recorded_sha256(path)
    found = sha256(path)
    state: Literal["unchanged", "changed"] = "unchanged" if recorded == found else "changed"
    config = path.with_name("config.toml")
    return Inspection(
        path=path,
        kind="sealed",
        format=_FORMATS.get(path.suffix, "onnx"),
        labels=tuple(facts["labels"]),
        licence={"weights": facts.get("licence"), "data": facts.get("data_licence")},
        card=facts["card"],
        metrics=facts.get("metrics"),
        hashes={
            "sha256": found,
            "parent_sha256": facts.get("parent_sha256"),
            "config_sha256": sha256(config) if config.is_file() else None,
            "data_sha": facts.get("data_sha"),
        },
        versions={"training": facts.get("versions")},
        signature=graph,
        files=() if recorded is None else (FileCheck(path.name, state),),
    )


def _read(path: Path) -> tuple[dict[str, Any], Signature]:
    """Return a model file's metadata, and its inputs and outputs."""
    try:
        stored, graph = stored_facts(path)
    except ValueError as error:
        raise _not_ours(path) from error
    facts = {key: metadata_value(text) for key, text in stored.items()}
    if not (isinstance(facts.get("labels"), list) and isinstance(facts.get("card"), dict)):
        raise _not_ours(path)
    return facts, graph


def _not_ours(path: Path) -> ModelError:
    return ModelError(
        "The path to inspect must be a file or folder written by Eyebright. {path} is not. Give a "
        "run directory, its model.onnx, or an export folder, which contains {certificate}.",
        path=path,
        certificate=CERTIFICATE,
    )
