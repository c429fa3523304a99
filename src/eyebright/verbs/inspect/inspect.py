"""`inspect`: what a file is, where it comes from, and whether it is still what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from eyebright.errors import ModelError, NotFoundError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.certificate.integrity import (
    CERTIFICATE,
    FileCheck,
    check_files,
    export_folder,
    original_of,
    read_certificate,
)
from eyebright.exporting.certificate.provenance import PROVENANCE, StoredProvenance, read_provenance
from eyebright.exporting.certificate.signature import Signature, signature, stored_facts
from eyebright.report.metrics_content import MetricsContent
from eyebright.runs.integrity import recorded_sha256
from eyebright.runtime.context import stage
from eyebright.sealed.card import SealedCard
from eyebright.sealed.metadata import HeadlineMetrics, SealedMetadata
from eyebright.sealed.model import model_file
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
    return _sealed(model_file(path))


def _export(folder: Path) -> Inspection:
    certificate = read_certificate(folder)
    checks = check_files(folder, certificate)
    # What was changed is not read: it may be anything.
    changed = {check.name for check in checks if check.state != "unchanged"}
    origin = StoredProvenance() if PROVENANCE in changed else read_provenance(folder)
    files = [folder / name for name in certificate.files]
    graph = next((path for path in files if path.suffix in (".onnx", ".xml") and path.is_file()), None)
    return Inspection(
        path=folder,
        kind="export",
        format=certificate.format,
        precision=certificate.precision,
        input=certificate.input,
        passed=certificate.passed,
        labels=origin.labels,
        licence=origin.licence.model_dump(),
        card=None if origin.card is None else SealedCard(origin.card.model_dump()),
        metrics=_headline(origin.metrics),
        hashes={
            "sha256": certificate.sha256,
            "parent_sha256": certificate.parent_sha256,
            "config_sha256": origin.config_sha256,
            "data_sha": origin.data_sha,
        },
        versions=origin.versions or {"export": certificate.versions},
        signature=signature(graph) if graph is not None and not changed else None,
        files=checks,
        parent=original_of(folder, certificate),
        notes=certificate.notes,
    )


def _sealed(path: Path) -> Inspection:
    facts, stored, graph = _read(path)
    recorded = recorded_sha256(path)
    found = sha256(path)
    state: Literal["unchanged", "changed"] = "unchanged" if recorded == found else "changed"
    config = path.with_name("config.toml")
    return Inspection(
        path=path,
        kind="sealed",
        format=_FORMATS.get(path.suffix, "onnx"),
        labels=facts.labels,
        licence={"weights": stored.get("licence"), "data": stored.get("data_licence")},
        card=SealedCard(facts.card.model_dump()),
        metrics=_headline(facts.metrics),
        hashes={
            "sha256": found,
            "parent_sha256": stored.get("parent_sha256"),
            "config_sha256": sha256(config) if config.is_file() else None,
            "data_sha": stored.get("data_sha"),
        },
        versions={"training": facts.versions},
        signature=graph,
        files=() if recorded is None else (FileCheck(path.name, state),),
    )


def _headline(metrics: HeadlineMetrics | None) -> MetricsContent | None:
    """Return headline metrics with the keys of `metrics.json`."""
    return None if metrics is None else cast("MetricsContent", metrics.model_dump(exclude_unset=True))


def _read(path: Path) -> tuple[SealedMetadata, dict[str, str], Signature]:
    """Return a model file's metadata, checked and as they are stored, and its inputs and outputs."""
    try:
        stored, graph = stored_facts(path)
        return SealedMetadata.read(stored), stored, graph
    except ValueError as error:
        raise _not_ours(path, error) from error


def _not_ours(path: Path, reason: ValueError) -> ModelError:
    return ModelError(
        "The path to inspect must be a file or folder written by Eyebright. {path} is not: {reason}. Give "
        "a run directory, its model.onnx, or an export folder, which contains {certificate}.",
        path=path,
        reason=reason,
        certificate=CERTIFICATE,
    )
