"""An export's folder: it appears complete and certified, or with its files marked as rejected."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from eyebright.errors import StorageError
from eyebright.exporting.certificate.integrity import CERTIFICATE as CERTIFICATE
from eyebright.runtime.atomic import storage_errors
from eyebright.runtime.leftovers import SETTLED_SECONDS, locked, sweep

_NAME = "export"


@contextmanager
def in_progress(folder: Path) -> Iterator[Path]:
    """Make an empty folder beside ``folder`` to write into; what is still there at the end is removed.

    Raises:
        StorageError: the disk is full or cannot be written, or ``folder`` is not an export.
    """
    with waiting(folder) as temporary:
        temporary.mkdir()
        yield temporary


@contextmanager
def waiting(folder: Path) -> Iterator[Path]:
    """Give a path beside ``folder`` for what may take its place later; what is there at the end is removed.

    What a process that was killed left of an earlier attempt is removed as well.

    Raises:
        StorageError: the disk is full or cannot be written, or ``folder`` is not an export.
    """
    if folder.is_symlink() or (folder.exists() and not _is_export(folder)):
        raise StorageError(
            "The export folder must be new, empty, or written by `eyebright export`. {path} is not. "
            "Move it, or choose another folder with --out.",
            path=folder,
        )
    _recover(folder)
    place = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    new = not folder.parent.exists()
    try:
        with storage_errors(folder):
            place.mkdir(parents=True)
            with locked(place):
                yield place / _NAME
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if new:  # nothing was exported into it
            with suppress(OSError):
                folder.parent.rmdir()


def _recover(folder: Path) -> None:
    """Put back an export that a killed process had moved aside, and remove what else it left."""
    sweep(folder.parent, folder.name)
    for old in folder.parent.glob(f".{escape(folder.name)}.*.old"):
        if time.time() - old.lstat().st_ctime < SETTLED_SECONDS:  # it may be about to be replaced
            continue
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(folder)


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
