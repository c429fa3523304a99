"""Declare `eyebright cache`: show what the feature cache holds, and make it smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.cache.cache import CacheUsage
    from eyebright.verbs.cache.options import CacheConfig


def _show(usage: CacheUsage, config: CacheConfig) -> int:
    print(usage)
    return 0


VERB = Verb(
    name="cache",
    summary="Show what the feature cache contains; --trim or --clear makes it smaller.",
    show=_show,
    notes="Trimming is safe: features that are missing are computed again when needed.",
)
