"""How the splits of a manifest came about, for the report and `metrics.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from eyebright.types import JsonObject, Split


@dataclass(frozen=True)
class Period:
    """When the images of a split were taken: the first and the last of them, as ISO 8601."""

    first: str
    last: str


@dataclass(frozen=True)
class SplitFacts:
    """How the splits of a manifest came about.

    Attributes:
        by: what decided where an image went: "chance", "time", "folds", or "data" where the data has splits
            of its own for all.
        near_duplicates: images that are nearly equal to another one, in one split with it.
        near_groups: the groups that these form.
        leaks: paths of nearly equal images in two splits of the data's own, the evaluated one first.
        folds: how many folds of a cross-validation there are; 0 without one.
        periods: of each split, where they are ordered by time.
    """

    by: str
    near_duplicates: int = 0
    near_groups: int = 0
    leaks: tuple[tuple[str, str], ...] = ()
    folds: int = 0
    periods: Mapping[Split, Period] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """Return the entry `splitting` of `metrics.json`."""
        return {
            "by": self.by,
            "near_duplicates": self.near_duplicates,
            "near_groups": self.near_groups,
            "leaks": [list(pair) for pair in self.leaks],
            **({"folds": self.folds} if self.folds else {}),
            **({"periods": {split: asdict(p) for split, p in self.periods.items()}} if self.periods else {}),
        }
