"""`cache`: what the feature cache holds, and how to make it smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.training import cache
from eyebright.training.cache import SpaceUsage


@dataclass(frozen=True)
class CacheUsage:
    """The cache's folder, its size, and its spaces, the one used last first."""

    path: Path
    bytes: int
    entries: Sequence[SpaceUsage]


def usage() -> CacheUsage:
    """What the feature cache holds."""
    folder = cache.default_folder()
    entries = cache.usage(folder)
    return CacheUsage(folder, sum(entry.bytes for entry in entries), entries)


def clear() -> int:
    """Removes everything; returns how many bytes of features were freed."""
    return cache.clear(cache.default_folder())


def trim(limit_bytes: int) -> int:
    """Removes what was used longest ago until ``limit_bytes`` are left; returns the bytes freed."""
    return cache.trim(cache.default_folder(), limit_bytes)
