"""What a killed process leaves beside its results: told from what another is writing now, and removed."""

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
# Files have no lock, and no file takes as long to write.
_FILE_SECONDS = _UNLOCKED_SECONDS = 86_400.0


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


def sweep(place: Path, name: str = "") -> None:
    """Remove temporary files and folders in ``place`` that no process is writing any more.

    Args:
        place: a folder; it need not exist.
        name: only those of the file or folder of this name; all of them where empty.
    """
    for left in place.glob(f".{escape(name)}.*.tmp" if name else ".*.tmp"):
        with suppress(OSError):  # another process may do the same
            if not _abandoned(left):
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()


def _abandoned(left: Path) -> bool:
    age = time.time() - left.lstat().st_mtime
    if not left.is_dir():
        return age > _FILE_SECONDS
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
