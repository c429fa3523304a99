"""An export's folder: it appears complete and certified, or with its files marked as rejected."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyebright.errors import StorageError
from eyebright.exporting.certificate.integrity import CERTIFICATE as CERTIFICATE
from eyebright.runtime.atomic import storage_errors


@contextmanager
def in_progress(folder: Path) -> Iterator[Path]:
    """Make an empty folder beside ``folder`` to write into; what is still there at the end is removed.

    Raises:
        StorageError: the disk is full or cannot be written, or ``folder`` is not an export.
    """
    with waiting(folder) as temporary:
        temporary.mkdir(parents=True)
        yield temporary


@contextmanager
def waiting(folder: Path) -> Iterator[Path]:
    """Give a path beside ``folder`` for what may take its place later; what is there at the end is removed.

    Raises:
        StorageError: the disk is full or cannot be written, or ``folder`` is not an export.
    """
    if folder.is_symlink() or (folder.exists() and not _is_export(folder)):
        raise StorageError(
            "The export folder must be new, empty, or written by `eyebright export`. {path} is not. "
            "Move it, or choose another folder with --out.",
            path=folder,
        )
    place = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with storage_errors(folder):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _is_export(folder: Path) -> bool:
    return folder.is_dir() and ((folder / CERTIFICATE).is_file() or next(folder.iterdir(), None) is None)


def finished(temporary: Path, folder: Path) -> None:
    """Put a completely written export in its place; an earlier one is replaced."""
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
    if folder.exists():
        folder.rename(old)
    try:
        temporary.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():  # else neither could be seen
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def rejected(temporary: Path, folder: Path) -> None:
    """Put a rejected export in its place: all its files but the certificate get the suffix `.rejected`."""
    for path in sorted(temporary.rglob("*")):
        if path.is_file() and path.name != CERTIFICATE:
            path.rename(path.with_name(f"{path.name}.rejected"))
    finished(temporary, folder)
