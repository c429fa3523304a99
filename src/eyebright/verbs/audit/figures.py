"""The content of `audit.json`; `audit.schema.json` beside this module describes it for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from eyebright.auditing.examine import Examination
from eyebright.auditing.findings import Finding, PlantedResult
from eyebright.data.manifest import SPLITS, Manifest
from eyebright.types import Interval, Json, JsonObject
from eyebright.version import __version__

#: Rises when a key changes its meaning or goes; new keys do not raise it.
SCHEMA_VERSION = 1


def figures(manifest: Manifest, found: Examination, *, parts: bool) -> JsonObject:
    """Return the content of `audit.json`.

    Args:
        manifest: of all images that can be read.
        found: in the examination.
        parts: whether the data itself says which images train and which evaluate.
    """
    split = {sample.path: sample.split for sample in manifest.samples} if parts else {}
    content: JsonObject = {
        "schema_version": SCHEMA_VERSION,
        "eyebright_version": __version__,
        "images": len(manifest.samples),
        "labels": list(manifest.labels),
        "findings": [_finding(finding, split) for finding in found.findings],
        "calibration": {kind: _planted(result) for kind, result in found.planted.items()},
        "shift": [
            {"parts": list(names), "told_apart": shift.auc, "p": shift.p, "images": list(shift.counts)}
            for names, shift in found.shifts.items()
        ],
    }
    if parts:
        content["parts"] = {part: len(manifest.of(part)) for part in SPLITS}
    if found.wrong_labels is not None:
        content["label_errors"] = {
            "expected": found.wrong_labels,
            "calibration_error": found.label_calibration_error,
            "budget": [{"looked_at": count, **asdict(some)} for count, some in found.budget.items()],
        }
    return content


def part_of(finding: Finding, split: Mapping[str, str]) -> str | None:
    """Return the part of a finding's images, several joined by commas; None where the data has none."""
    named = {split[path] for path in finding.images if path in split}
    parts: Sequence[str] = [part for part in SPLITS if part in named]
    return ", ".join(parts) if parts else None


def _finding(finding: Finding, split: Mapping[str, str]) -> JsonObject:
    row: JsonObject = {
        "kind": finding.kind,
        "images": list(finding.images),
        "evidence": dict(finding.evidence),
        "probability": finding.probability,
        "part": part_of(finding, split),
    }
    if finding.suggested is not None:
        row["suggested"] = finding.suggested
    return row


def _planted(result: PlantedResult) -> JsonObject:
    return {
        "planted": result.planted,
        "recall": _interval(result.recall),
        "precision": None if result.precision is None else _interval(result.precision),
        "ways": {way: _interval(recall) for way, recall in result.ways.items()},
    }


def _interval(interval: Interval) -> Json:
    return asdict(interval)
