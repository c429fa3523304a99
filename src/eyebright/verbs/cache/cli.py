"""`eyebright cache`: what the feature cache holds, and how to make it smaller."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.cache.cache import CacheUsage
    from eyebright.verbs.cache.options import CacheConfig


def _config() -> type[CacheConfig]:
    from eyebright.verbs.cache.options import CacheConfig

    return CacheConfig


def _run(config: CacheConfig) -> int:
    from eyebright.verbs.cache.cache import clear, trim, usage

    if config.clear or config.trim is not None:
        freed = clear() if config.clear or config.trim is None else trim(config.trim)
        print(translate("Freed {size}.", size=megabytes(freed)))
    print(_shown(usage()))
    return 0


def megabytes(count: int) -> str:
    """``count`` bytes for a person; ``--trim`` reads the same units."""
    return f"{count / 1e6:,.1f} MB"


def _shown(usage: CacheUsage) -> str:
    line = translate("{path} uses {size}.", path=printable(str(usage.path)), size=megabytes(usage.bytes))
    if not usage.entries and usage.exports is None:
        return line
    head = (
        translate("Content"),
        translate("Images"),
        translate("Size"),
        translate("Last used"),
    )
    rows = [(e.name, f"{e.images:,}", megabytes(e.bytes), _day(e.last_used)) for e in usage.entries]
    if (exports := usage.exports) is not None:
        name = translate("Exported backbones: {count}", count=exports.networks)
        rows.append((name, "", megabytes(exports.bytes), _day(exports.last_used)))
    return f"{line}\n\n{table([head, *rows], right=(1, 2))}"


def _day(moment: datetime | float) -> str:
    when = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment)
    return f"{when:%Y-%m-%d %H:%M}"


VERB = Verb(
    name="cache",
    summary="Show what the feature cache contains; --trim or --clear makes it smaller.",
    config=_config,
    run=_run,
    notes="Trimming is safe: features that are missing are computed again when needed.",
)
