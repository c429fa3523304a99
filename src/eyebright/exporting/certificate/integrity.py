"""Whether an export's files are still those listed in its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from eyebright.errors import ModelError
from eyebright.exporting.certificate.hashes import sha256

CERTIFICATE = "certificate.json"
#: The folder beside a model where its exports go.
EXPORTS = "exports"
StoredT = TypeVar("StoredT", bound=BaseModel)
# Levels at which a file of a Core ML package is in the export's folder; other formats have fewer.
_DEEPEST = 5


class StoredCertificate(BaseModel):
    """What `certificate.json` says of an export; what an earlier version did not write is None or empty.

    Attributes:
        format, precision, input: what was exported, and what it takes and gives.
        files, sidecar_files: SHA-256 by file, of the export's own and of those beside them.
        passed: whether the criteria were met.
        sha256, parent_sha256: of the export's own files together, and of the original.
        versions: of the packages that it was made with.
        notes: what else a user must know, in English.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    files: dict[str, str]
    sidecar_files: dict[str, str] = Field({}, validation_alias=AliasChoices("sidecar_files", "beside"))
    precision: str | None = None
    input: str | None = None
    passed: bool | None = None
    sha256: str | None = None
    parent_sha256: str | None = None
    versions: dict[str, str] | None = None
    notes: tuple[str, ...] = ()

    @field_validator("files", "sidecar_files")
    @classmethod
    def _inside(cls, files: dict[str, str]) -> dict[str, str]:
        """Refuse names that lead out of the folder."""
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
            raise ValueError("a name leads out of the folder")
        return files


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


def parent_of(folder: Path, certificate: StoredCertificate) -> Literal["same", "other", "gone"] | None:
    """Return whether the model of the run that an export lies in is the one it was made from.

    None where the export lies in no run, or its certificate does not say.
    """
    expected, run = certificate.parent_sha256, folder.absolute().parent.parent
    if expected is None or folder.absolute().parent.name != EXPORTS:
        return None
    model = run / "model.onnx"
    if not model.is_file():
        return "gone"
    return "same" if sha256(model) == expected else "other"


def _names(certificate: StoredCertificate) -> set[str]:
    """Return the files of an export and the folders that contain them."""
    files = {CERTIFICATE, *certificate.files, *certificate.sidecar_files}
    return files | {folder.as_posix() for name in files for folder in PurePosixPath(name).parents}


def read_certificate(folder: Path) -> StoredCertificate:
    """Return the content of `certificate.json`.

    Raises:
        ModelError: `eyebright export` did not write it.
    """
    return read_stored(folder / CERTIFICATE, StoredCertificate)


def read_stored(path: Path, kind: type[StoredT]) -> StoredT:
    """Return the content of a JSON file of an export.

    Raises:
        ModelError: `eyebright export` did not write it.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = ": ".join((*map(str, first["loc"]), first["msg"]))
        raise ModelError(
            "{name} must be a file written by `eyebright export`. {path} is not: {reason}. Export the "
            "model again.",
            name=path.name,
            path=path,
            reason=reason,
        ) from error


def check_files(folder: Path, certificate: StoredCertificate) -> tuple[FileCheck, ...]:
    """Check each file that a certificate lists, the export's own first."""
    suffix = ".rejected" if certificate.passed is False else ""
    own = (_check(folder, name, digest, suffix) for name, digest in certificate.files.items())
    sidecar = (_check(folder, name, digest, "") for name, digest in certificate.sidecar_files.items())
    return (*own, *sidecar)


def _check(folder: Path, name: str, digest: str, suffix: str) -> FileCheck:
    path = folder / f"{name}{suffix}"
    if not path.is_file():
        return FileCheck(name, "missing")
    return FileCheck(name, "unchanged" if sha256(path) == digest else "changed")
