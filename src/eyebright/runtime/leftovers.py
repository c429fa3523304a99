"""Folders that a killed process left: told from what another is writing now, and removed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no locks on folders
    fcntl = None  # type: ignore[assignment]

#: A folder as young as this may be about to be locked.
SETTLED_SECONDS = 10.0
_UNLOCKED_SECONDS = 86_400.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder while the block writes into it; the system frees it if the process is killed."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def sweep(place: Path, name: str) -> None:
    """Remove temporary folders for a folder ``name`` in ``place`` that no process is writing any more.

    Files are removed by :func:`eyebright.runtime.atomic.remove_left`.
    """
    for left in place.glob(f".{escape(name)}.*.tmp"):
        with suppress(OSError):  # another process may do the same
            if left.is_dir() and not left.is_symlink() and _abandoned(left):
                shutil.rmtree(left)


def _abandoned(left: Path) -> bool:
    age = time.time() - left.stat().st_mtime
    if fcntl is None:
        return age > _UNLOCKED_SECONDS
    descriptor = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by the process that writes it, or there are no locks here
        return False
    finally:
        os.close(descriptor)
    return age > SETTLED_SECONDS
