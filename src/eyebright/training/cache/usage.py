"""What the cache holds, rows of images and exported networks, and how it is made smaller."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eyebright.training.cache.store import CARD, EXPORTS, FEATURES, keys_path, rows_path

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
    found = [path.stat() for path in _exports(root)]
    if not found:
        return None
    return ExportsUsage(len(found), sum(s.st_size for s in found), max(s.st_mtime for s in found))


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
    folders = [root / name for name in ("choices", "engines", EXPORTS)]
    for folder in (*folders, *(space.folder for space in usage(root))):
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _segments(spaces: list[SpaceUsage]) -> Iterator[_Piece]:
    for space in spaces:
        for keys in space.folder.glob("*.keys.npy"):
            yield _Piece((space.last_used, keys.stat().st_mtime), partial(_delete, keys))


def _networks(root: Path) -> Iterator[_Piece]:
    for path in _exports(root):
        used = path.stat().st_mtime
        yield _Piece((used, used), partial(_delete_file, path))


def _exports(root: Path) -> list[Path]:
    return list((root / EXPORTS).glob("*.onnx"))


def _delete(keys: Path) -> int:
    rows = rows_path(keys)
    freed = _delete_file(keys)  # first the keys: without them the segment no longer counts
    return freed + (_delete_file(rows) if rows.exists() else 0)


def _delete_file(path: Path) -> int:
    size = path.stat().st_size
    path.unlink()
    return size


def _spaces(root: Path) -> Iterator[SpaceUsage]:
    for path in root.glob(f"*/{CARD}"):
        card = json.loads(path.read_text(encoding="utf-8"))
        _sweep(path.parent)
        files = list(path.parent.glob("*.npy"))
        keys = [f for f in files if f.name.endswith(".keys.npy")]
        images = sum(_count(f) for f in keys)
        kind = f"{card['width']:,} x {card['precision']}"
        name = f"{card['backbone']} {card['size']} px, {kind}, view {card['view']}"
        size = sum(f.stat().st_size for f in files)
        yield SpaceUsage(name, images, size, card["used"], path.parent, card.get("kind", FEATURES))


def _count(keys: Path) -> int:
    """Return the rows of a segment; none of a damaged one."""
    try:
        return len(np.load(keys, mmap_mode="r", allow_pickle=False))
    except (ValueError, OSError, EOFError):
        return 0


def _sweep(folder: Path) -> None:
    """Remove what a killed run left behind: old temporary files, and rows that never got their keys."""
    orphans = [p for p in folder.glob("*.rows.npy") if not keys_path(p).exists()]
    for path in (*folder.glob(".*.tmp"), *orphans):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            path.unlink(missing_ok=True)
