"""`cache`: what the cache holds, and how to make it smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.training.cache import usage as cache_usage
from eyebright.training.cache.store import default_folder
from eyebright.training.cache.usage import ExportsUsage, SpaceUsage


@dataclass(frozen=True)
class CacheUsage:
    """The cache's folder, its size, its spaces, the one used last first, and its exported networks."""

    path: Path
    bytes: int
    entries: Sequence[SpaceUsage]
    exports: ExportsUsage | None


def usage() -> CacheUsage:
    """What the cache holds."""
    folder = default_folder()
    entries, exports = cache_usage.usage(folder), cache_usage.exports_usage(folder)
    total = sum(entry.bytes for entry in entries) + (exports.bytes if exports else 0)
    return CacheUsage(folder, total, entries, exports)


def clear() -> int:
    """Removes everything; returns how many bytes of features and networks were freed."""
    return cache_usage.clear(default_folder())


def trim(limit_bytes: int) -> int:
    """Removes what was used longest ago until ``limit_bytes`` are left; returns the bytes freed."""
    return cache_usage.trim(default_folder(), limit_bytes)
