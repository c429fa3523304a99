"""Whether an export's files are still those listed in its certificate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from eyebright.errors import ModelError
from eyebright.exporting.certificate.hashes import sha256

CERTIFICATE = "certificate.json"
#: The folder beside a model where its exports go.
EXPORTS = "exports"
# Levels at which a file of a Core ML package is in the export's folder; other formats have fewer.
_DEEPEST = 5


@dataclass(frozen=True)
class FileCheck:
    """One file, and whether its hash is the recorded one."""

    name: str
    state: Literal["unchanged", "changed", "missing"]


def export_folder(path: Path) -> Path | None:
    """Return the export that a path is or belongs to; None if there is none."""
    if path.is_dir() and (path / CERTIFICATE).is_file():
        return path
    for parent in list(path.absolute().parents)[:_DEEPEST]:
        if (parent / CERTIFICATE).is_file():
            named = path.absolute().relative_to(parent).as_posix().removesuffix(".rejected")
            return parent if named in _names(read_certificate(parent)) else None
    return None


def parent_of(folder: Path, certificate: Mapping[str, Any]) -> Literal["same", "other", "gone"] | None:
    """Return whether the model of the run that an export lies in is the one it was made from.

    None where the export lies in no run, or its certificate does not say.
    """
    expected, run = certificate.get("parent_sha256"), folder.absolute().parent.parent
    if expected is None or folder.absolute().parent.name != EXPORTS:
        return None
    model = run / "model.onnx"
    if not model.is_file():
        return "gone"
    return "same" if sha256(model) == expected else "other"


def _names(certificate: Mapping[str, Any]) -> set[str]:
    """Return the files of an export and the folders that contain them."""
    files = {CERTIFICATE, *certificate["files"], *_sidecar_files(certificate)}
    return files | {folder.as_posix() for name in files for folder in PurePosixPath(name).parents}


def read_certificate(folder: Path) -> dict[str, Any]:
    """Return the content of `certificate.json`.

    Raises:
        ModelError: `eyebright export` did not write it.
    """
    path = folder / CERTIFICATE
    try:
        content: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        names = [*dict(content["files"]), *dict(_sidecar_files(content))]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("a name leads out of the folder")
        str(content["format"]), dict(content.get("versions") or {}), [*content.get("notes", ())]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            "certificate.json must be a file written by `eyebright export`. {path} is not: {reason}. "
            "Export the model again.",
            path=path,
            reason=error,
        ) from error
    return content


def check_files(folder: Path, certificate: Mapping[str, Any]) -> tuple[FileCheck, ...]:
    """Check each file that a certificate lists, the export's own first."""
    suffix = "" if certificate.get("passed", True) else ".rejected"
    own = (_check(folder, name, digest, suffix) for name, digest in certificate["files"].items())
    sidecar = (_check(folder, name, digest, "") for name, digest in _sidecar_files(certificate).items())
    return (*own, *sidecar)


def _check(folder: Path, name: str, digest: str, suffix: str) -> FileCheck:
    path = folder / f"{name}{suffix}"
    if not path.is_file():
        return FileCheck(name, "missing")
    return FileCheck(name, "unchanged" if sha256(path) == digest else "changed")


def _sidecar_files(certificate: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the hashes of the files besides the export's own; earlier certificates call them `beside`."""
    found: Mapping[str, str] = certificate.get("sidecar_files", certificate.get("beside", {}))
    return found
