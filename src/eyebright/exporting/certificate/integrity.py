"""Whether an export's files are still those listed in its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, TypeAdapter

from eyebright.errors import ModelError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.runtime.stored import STORED, Value, read_json, reason_of

CERTIFICATE = "certificate.json"
#: The folder beside a model where its exports go.
EXPORTS = "exports"
# Levels at which a file of a Core ML package is in the export's folder; other formats have fewer.
_DEEPEST = 5


def _inside(name: str) -> str:
    """Refuse a name that leads out of the export's folder, or that no file can have."""
    path = PurePosixPath(name)
    if not name or "\0" in name or "\\" in name or path.is_absolute() or ".." in path.parts:
        raise ValueError("a name leads out of the folder")
    return name


_Hashes: TypeAlias = dict[Annotated[str, AfterValidator(_inside)], str]


class StoredCertificate(BaseModel):
    """What :meth:`Certificate.to_json` wrote, as far as it is read back."""

    model_config = STORED

    format: str
    precision: str | None = None
    input: str | None = None
    passed: bool = True
    files: _Hashes
    #: Earlier certificates call them `beside`.
    sidecar_files: _Hashes = Field({}, validation_alias=AliasChoices("sidecar_files", "beside"))
    sha256: str | None = None
    parent_sha256: str | None = None
    versions: dict[str, str] | None = None
    notes: tuple[str, ...] = ()


_CERTIFICATE = TypeAdapter(StoredCertificate)


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


def original_of(folder: Path, certificate: StoredCertificate) -> Literal["same", "other", "gone"] | None:
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
    return read_exported(_CERTIFICATE, folder / CERTIFICATE)


def read_exported(kind: TypeAdapter[Value], path: Path) -> Value:
    """Read a JSON file that lies with an export, and check it.

    Raises:
        ModelError: `eyebright export` did not write it.
    """
    try:
        return read_json(kind, path)
    except (OSError, ValueError) as error:
        raise ModelError(
            "{name} must be a file written by `eyebright export`. {path} is not: {reason}. Export the "
            "model again.",
            name=path.name,
            path=path,
            reason=reason_of(error),
        ) from error


def check_files(folder: Path, certificate: StoredCertificate) -> tuple[FileCheck, ...]:
    """Check each file that a certificate lists, the export's own first."""
    suffix = "" if certificate.passed else ".rejected"
    own = (_check(folder, name, digest, suffix) for name, digest in certificate.files.items())
    sidecar = (_check(folder, name, digest, "") for name, digest in certificate.sidecar_files.items())
    return (*own, *sidecar)


def _check(folder: Path, name: str, digest: str, suffix: str) -> FileCheck:
    path = folder / f"{name}{suffix}"
    if not path.is_file():
        return FileCheck(name, "missing")
    return FileCheck(name, "unchanged" if sha256(path) == digest else "changed")
