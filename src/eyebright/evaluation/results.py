"""What an evaluation yields: rows of predictions, and metrics with their intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from eyebright.types import IntArray, Interval, Split


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """The sealed model's answer for one labelled image."""

    path: str
    split: Split
    label: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class ClassMetrics:
    """One class's figures; ``support`` is its number of images in the evaluated part."""

    label: str
    support: int
    precision: Interval
    recall: Interval
    f1: Interval


@dataclass(frozen=True)
class ReliabilityBin:
    """Images whose confidence lies in [low, high): how confident the model was and how often it was right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Metrics:
    """Figures of one part of the data.

    Attributes:
        split: which part, never one that was used to choose anything.
        count: N, its number of images.
        labels: the K classes.
        accuracy, balanced_accuracy, macro_f1, ece: fractions with 95 % bootstrap intervals.
        log_loss: in nats, likewise.
        per_class: one entry for each class.
        confusion: (K, K) counts, a row for each true class, a column for each predicted one.
        reliability: equal-width bins of confidence, empty ones left out.
    """

    split: Split
    count: int
    labels: tuple[str, ...]
    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    log_loss: Interval
    ece: Interval
    per_class: tuple[ClassMetrics, ...]
    confusion: IntArray
    reliability: tuple[ReliabilityBin, ...]

    def to_json(self) -> dict[str, Any]:
        """The metrics as `metrics.json` holds them."""
        headline = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")
        return {
            "split": self.split,
            **{name: asdict(getattr(self, name)) for name in headline},
            "per_class": {
                c.label: {k: v for k, v in asdict(c).items() if k != "label"} for c in self.per_class
            },
            "confusion": self.confusion.tolist(),
            "labels": list(self.labels),
            "reliability": [asdict(b) for b in self.reliability],
        }
