"""What an evaluation yields: rows of predictions, and metrics with their intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from eyebright.types import IntArray, Interval, JsonObject, Split

#: The metrics that come first, and that the sealed model carries in its metadata.
HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")
#: The others of all classes together, beside the top 5.
FURTHER = ("weighted_f1", "kappa", "matthews", "roc_auc", "average_precision", "brier")
_ONE_CLASS = "Images of two classes are needed. The part holds those of one."
_CLASS_ALONE = "Images of this class and of others are needed. The part holds only these or only those."


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """The sealed model's prediction for one labelled image.

    Attributes:
        path, split, label: as the manifest has them.
        predicted: the most probable class.
        confidence: its probability.
        label_probability: that of the true class; of several labels, that just these hold.
        sha: hash of the file's bytes, by which runs are compared.
        probabilities: of each label of a multi-label task; else none.
        group: as the manifest has it; empty where none is known.
    """

    path: str
    split: Split
    label: str
    predicted: str
    confidence: float
    label_probability: float | None = None
    sha: str = ""
    probabilities: tuple[float, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class ClassMetrics:
    """One class's metrics; ``support`` is its number of images in the evaluated split.

    ``roc_auc`` and ``average_precision`` are None where the part has no image of the class, or of no other.
    """

    label: str
    support: int
    precision: Interval
    recall: Interval
    f1: Interval
    roc_auc: Interval | None = None
    average_precision: Interval | None = None

    def to_json(self) -> JsonObject:
        """Return the metrics as `metrics.json` holds them."""
        return {
            "support": self.support,
            **{name: asdict(getattr(self, name)) for name in ("precision", "recall", "f1")},
            "roc_auc": metric_json(self.roc_auc, _CLASS_ALONE),
            "average_precision": metric_json(self.average_precision, _CLASS_ALONE),
        }


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
    """Metrics of one split.

    Attributes:
        split: which part, never one that was used to choose anything.
        count: N, its number of images.
        labels: the K classes.
        accuracy, balanced_accuracy, macro_f1, ece: fractions with 95 % bootstrap intervals.
        log_loss: in nats, likewise.
        weighted_f1: the mean of F1 in which each class weighs as many images as it has.
        brier: squared distance of the probabilities from the truth; of two classes half of it.
        top5: share of images whose class is among the five likeliest; None where there are no more.
        kappa, matthews: Cohen's kappa and Matthews' correlation; None where chance alone agrees.
        roc_auc, average_precision: of two classes those of the second, the positive one; else the mean of
            the classes that have them. None where no class has.
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
    weighted_f1: Interval
    brier: Interval
    top5: Interval | None
    kappa: Interval | None
    matthews: Interval | None
    roc_auc: Interval | None
    average_precision: Interval | None
    per_class: tuple[ClassMetrics, ...]
    confusion: IntArray
    reliability: tuple[ReliabilityBin, ...]

    @property
    def headline(self) -> tuple[str, ...]:
        """Return the names of the headline metrics."""
        return HEADLINE

    def to_json(self) -> JsonObject:
        """Return the metrics as `metrics.json` holds them."""
        return {
            "split": self.split,
            **{name: asdict(getattr(self, name)) for name in HEADLINE},
            **({"top5": asdict(self.top5)} if self.top5 else {}),
            **{name: metric_json(getattr(self, name), _ONE_CLASS) for name in FURTHER},
            **({"positive": self.labels[1]} if len(self.labels) == 2 else {}),
            "per_class": {c.label: c.to_json() for c in self.per_class},
            "confusion": self.confusion.tolist(),
            "labels": list(self.labels),
            "reliability": [asdict(b) for b in self.reliability],
        }


def metric_json(interval: Interval | None, reason: str) -> JsonObject:
    """Return an interval as `metrics.json` holds it; of what cannot be measured, the reason."""
    if interval is None:
        return {"value": None, "low": None, "high": None, "reason": reason}
    return asdict(interval)
