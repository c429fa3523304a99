"""Files that appear whole or not at all: written under a temporary name, flushed to disk, then renamed."""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eyebright.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_PLACE = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
# A file that is being written is younger: whoever writes to the same folder leaves it alone.
_LEFT_SECONDS = 3600.0
_DISK = _FULL | _FORBIDDEN | _NO_PLACE


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Return a temporary path beside ``path`` that takes its place when the block ends without an error.

    Raises:
        StorageError: the disk is full or must not be written, or another process removed the temporary file.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _take_place(temporary, path)
    finally:
        with suppress(OSError):  # where the folder is none, there is nothing to remove either
            temporary.unlink(missing_ok=True)


def remove_left(folder: Path) -> None:
    """Remove temporary files that killed processes left, and none that is being written."""
    for path in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                path.unlink()


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raise a StorageError for a full or read-only disk, naming ``path``.

    Raises:
        StorageError: in place of the system's error.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in _DISK:
            raise not_written(path, error.strerror) from error
        raise


def not_written(path: Path, reason: object) -> StorageError:
    """Return the error for what could not be written, also by libraries with errors of their own."""
    return StorageError(
        "The disk must have free space and be writable. Writing {path} failed: {reason}. Free some "
        "space or choose another location; finished work is kept and reused.",
        path=path,
        reason=reason,
    )


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def _take_place(temporary: Path, path: Path) -> None:
    try:
        _flush(temporary)
        os.replace(temporary, path)
    except FileNotFoundError as error:
        raise not_written(path, error.strerror) from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
