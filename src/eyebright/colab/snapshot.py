"""The files of a folder at one moment, although somebody goes on writing into it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TRIES = 5
State = dict[str, tuple[int, int]]


@contextmanager
def snapshot(folder: Path, wanted: frozenset[str] | None = None) -> Iterator[dict[str, Path] | None]:
    """Hold the files of a folder as they are now, by hard links beside it.

    Whatever Eyebright writes takes its place by a rename, so a link keeps the earlier content.

    Args:
        folder: with files, also in folders below it; temporary ones are left out.
        wanted: the names to hold; None for all.

    Yields:
        The held files by their paths in ``folder``; None where they change all the time: try later.
    """
    place = Path(tempfile.mkdtemp(prefix=".held-", dir=folder.parent))
    try:
        yield _held(folder, place, wanted)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _held(folder: Path, place: Path, wanted: frozenset[str] | None) -> dict[str, Path] | None:
    for attempt in range(_TRIES):
        before = state(folder, wanted)
        held = {name: place / f"{attempt}-{number}" for number, name in enumerate(before)}
        with suppress(FileNotFoundError):  # replaced in between: look again
            for name, copy in held.items():
                _link(folder / name, copy)
            if state(folder, wanted) == before:
                return held
    return None


def state(folder: Path, wanted: frozenset[str] | None = None) -> State:
    """Return size and time of every file of a folder by its path in it, without temporary ones."""
    found: State = {}
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(above, name)
            inner = path.relative_to(folder).as_posix()
            if name.startswith(".") or path.is_symlink() or not (wanted is None or inner in wanted):
                continue
            with suppress(FileNotFoundError):
                status = path.stat()
                found[inner] = (status.st_size, status.st_mtime_ns)
    return found


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copy2(source, target)
