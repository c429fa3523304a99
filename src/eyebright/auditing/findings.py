"""What an audit finds, and how well it finds what is planted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eyebright.types import Interval, Json

#: The kinds of findings, in the order of the report.
KINDS = (
    "leak",
    "exact_duplicate",
    "near_duplicate",
    "label_error",
    "shift",
    "shortcut",
    "class_overlap",
    "class_split",
    "imbalance",
    "watermark",
    "outlier",
    "blur",
    "dark",
    "bright",
    "low_contrast",
    "odd_size",
    "border",
    "broken",
)


@dataclass(frozen=True)
class Finding:
    """One thing that an audit found.

    Attributes:
        kind: one of :data:`KINDS`.
        images: paths; of copies the one to keep first, of a finding on all images those that show it best.
        evidence: figures and names by their keys in `audit.json`.
        probability: that it is so; None where none was estimated.
        suggested: the label that is more likely; None of other kinds.
        groups: the groups that the images have in the data.
    """

    kind: str
    images: tuple[str, ...]
    evidence: Mapping[str, Json] = field(default_factory=dict)
    probability: float | None = None
    suggested: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def label_conflict(self) -> bool:
        """Return whether copies have different labels."""
        labels = self.evidence.get("labels")
        return isinstance(labels, list) and len(set(map(str, labels))) > 1


@dataclass(frozen=True)
class PlantedResult:
    """How well one kind is found, measured on what was planted.

    Attributes:
        recall: share of what was planted that was found.
        precision: share of what was found that was planted, or expected to be so.
        planted: how many were planted.
        ways: the recall of each way of planting.
    """

    recall: Interval
    precision: Interval | None
    planted: int
    ways: Mapping[str, Interval] = field(default_factory=dict)
