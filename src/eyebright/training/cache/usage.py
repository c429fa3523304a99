"""What the cache holds, rows of images and exported networks, and how it is made smaller."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eyebright.runtime.atomic import remove_left
from eyebright.training.cache.segment import keys_path, remove_file, remove_segment
from eyebright.training.cache.store import CARD, CLUSTER, EXPORTS, FEATURES, SUMS, TABLES

_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class SpaceUsage:
    """One space of the cache, as `eyebright cache` shows it; ``last_used`` in seconds since 1970."""

    name: str
    images: int
    bytes: int
    last_used: float
    folder: Path
    kind: str = FEATURES


@dataclass(frozen=True)
class ExportsUsage:
    """The exported networks in the cache, all together; ``last_used`` in seconds since 1970."""

    networks: int
    bytes: int
    last_used: float


@dataclass(frozen=True)
class _Piece:
    """An entry of the cache that can be deleted by itself, least useful first by ``order``."""

    order: tuple[float, float]
    delete: Callable[[], int]


def usage(root: Path) -> list[SpaceUsage]:
    """Return the spaces under ``root``, the one used last first."""
    return sorted(_spaces(root), key=lambda s: -s.last_used)


def exports_usage(root: Path) -> ExportsUsage | None:
    """Return the exported networks under ``root``; None where there are none."""
    found = list(_exports(root))
    if not found:
        return None
    return ExportsUsage(len(found), sum(s.st_size for _, s in found), max(s.st_mtime for _, s in found))


def trim(root: Path, limit_bytes: int, kind: str | None = None) -> int:
    """Delete what was used longest ago: exported networks, and segments, the oldest of a space first.

    Args:
        root: the cache's folder.
        limit_bytes: what is left.
        kind: of the spaces that are counted and trimmed; None for all, and for the exported networks.

    Returns:
        How many bytes were freed.
    """
    spaces = [space for space in usage(root) if kind in (None, space.kind)]
    exports = exports_usage(root) if kind is None else None
    total = sum(s.bytes for s in spaces) + (exports.bytes if exports else 0)
    pieces = [*_segments(spaces), *(_networks(root) if exports else ())]
    freed = 0
    for piece in sorted(pieces, key=lambda piece: piece.order):
        if total - freed <= limit_bytes:
            break
        freed += piece.delete()
    for space in spaces if freed else ():
        # A space that was empty before may be one that is being filled.
        if space.bytes and not any(space.folder.glob("*.keys.npy")):
            shutil.rmtree(space.folder, ignore_errors=True)
    return freed


def clear(root: Path) -> int:
    """Delete all that Eyebright keeps under ``root``; return the bytes of rows and networks."""
    freed = trim(root, 0)
    folders = [root / name for name in ("choices", "engines", TABLES, EXPORTS, CLUSTER)]
    for folder in (*folders, *(space.folder for space in usage(root))):
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _segments(spaces: list[SpaceUsage]) -> Iterator[_Piece]:
    for space in spaces:
        for keys, status in _present(space.folder.glob("*.keys.npy")):
            yield _Piece((space.last_used, status.st_mtime), partial(remove_segment, keys))


def _networks(root: Path) -> Iterator[_Piece]:
    for path, status in _exports(root):
        yield _Piece((status.st_mtime, status.st_mtime), partial(remove_file, path))


def _exports(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    return _present((root / EXPORTS).glob("*.onnx"))


def _present(paths: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files that are still there with their status: other processes may remove them meanwhile."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path, path.stat()


def _spaces(root: Path) -> Iterator[SpaceUsage]:
    for path, status in _present(root.glob(f"*/{CARD}")):
        _sweep(path.parent)
        files = list(_present(path.parent.glob("*.npy")))
        images = sum(_count(file) for file, _ in files if file.name.endswith(".keys.npy"))
        name, kind = _described(path)
        size = sum(found.st_size for _, found in files)
        yield SpaceUsage(name, images, size, status.st_mtime, path.parent, kind)


def _described(path: Path) -> tuple[str, str]:
    """Return name and kind of a space from its card; the folder's name where the card is damaged."""
    try:
        card = json.loads(path.read_bytes())
        rows = f"{card['width']:,} x {card['precision']}"
        name = f"{card['backbone']} {card['size']} px, {rows}, view {card['view']}"
        return name, str(card.get("kind", FEATURES))
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        RecursionError,
    ):  # it is only shown, and written anew
        return path.parent.name, FEATURES


def _count(keys: Path) -> int:
    """Return the rows of a segment; none of a damaged one."""
    try:
        return len(np.load(keys, mmap_mode="r", allow_pickle=False))
    except Exception:  # the reader of headers raises whatever damaged ones make it
        return 0


def _sweep(folder: Path) -> None:
    """Remove what a killed run left behind: old temporary files, sums, and rows that never got their keys."""
    orphans = [p for p in folder.glob("*.rows.npy") if not keys_path(p).exists()]
    orphans += folder.glob(f"*.{SUMS}")
    remove_left(folder)
    for path, status in _present(orphans):
        if time.time() - status.st_mtime > _STALE_SECONDS:
            path.unlink(missing_ok=True)
