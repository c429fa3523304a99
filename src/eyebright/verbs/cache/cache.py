"""`cache`: what the cache holds, and how to make it smaller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from eyebright.report.display import Displayed, ResultTable
from eyebright.runtime.context import stage
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.training.cache import usage as cache_usage
from eyebright.training.cache.store import default_folder
from eyebright.training.cache.usage import ExportsUsage, SpaceUsage
from eyebright.verbs.cache.options import CacheConfig


@dataclass(frozen=True, repr=False)
class CacheUsage(Displayed):
    """The content of the cache; printing it shows it.

    Attributes:
        path: the cache's folder.
        bytes: its size.
        entries: its feature spaces, the one used last first.
        exports: its exported backbones; None where there are none.
        freed: bytes that were removed; None where nothing was to be.
    """

    path: Path
    bytes: int
    entries: Sequence[SpaceUsage]
    exports: ExportsUsage | None
    freed: int | None = None

    def display(self) -> Iterator[str | ResultTable]:
        """Yield what was freed, the cache's size, and a table of what it holds."""
        line = translate("{path} uses {size}.", path=printable(str(self.path)), size=_megabytes(self.bytes))
        freed = [] if self.freed is None else [translate("Freed {size}.", size=_megabytes(self.freed))]
        yield "\n".join([*freed, line])
        rows = [(e.name, f"{e.images:,}", _megabytes(e.bytes), _day(e.last_used)) for e in self.entries]
        if self.exports is not None:
            name = translate("Exported backbones: {count}", count=self.exports.networks)
            rows.append((name, "", _megabytes(self.exports.bytes), _day(self.exports.last_used)))
        if rows:
            head = (translate("Content"), translate("Images"), translate("Size"), translate("Last used"))
            yield ResultTable([head, *rows], right=(1, 2))


@stage
def cache(config: CacheConfig) -> CacheUsage:
    """Remove from the cache what the options say, and return what it holds then.

    Args:
        config: whether to remove everything, or what was used longest ago until a size is reached.
    """
    folder = default_folder()
    freed = None
    if config.clear:
        freed = cache_usage.clear(folder)
    elif config.trim is not None:
        freed = cache_usage.trim(folder, config.trim)
    entries, exports = cache_usage.usage(folder), cache_usage.exports_usage(folder)
    total = sum(entry.bytes for entry in entries) + (exports.bytes if exports else 0)
    return CacheUsage(folder, total, entries, exports, freed)


def _megabytes(count: int) -> str:
    """Return ``count`` bytes for a person; ``--trim`` reads the same units."""
    return f"{count / 1e6:,.1f} MB"


def _day(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):  # a clock that went wrong; no calendar has the date
        return ""
