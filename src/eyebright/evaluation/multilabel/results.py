"""The metrics of a multi-label evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from eyebright.evaluation.multiclass.results import Metrics, metric_json
from eyebright.types import IntArray, Interval, JsonObject

_HEADLINE = ("accuracy", "hamming_loss", "macro_f1", "micro_f1", "log_loss", "ece")
_BESIDE = ("balanced_accuracy", "weighted_f1", "brier")
_NO_LABEL = "Images with a label and without it are needed. The part has none of such a label."


@dataclass(frozen=True)
class LabelMetrics(Metrics):
    """Metrics of one split.

    Those of :class:`Metrics` mean the same, with these words: ``accuracy`` is the share of images of which
    exactly their labels are predicted; ``balanced_accuracy`` the mean recall of the labels; log loss,
    Brier score and calibration error are of all pairs of image and label; ROC-AUC and average
    precision are means of the labels that have them. There is no confusion, kappa or top 5.

    Attributes:
        thresholds: (K,) the probabilities from which on a label is predicted.
        hamming_loss: share of all pairs of image and label that are wrong.
        micro_f1: F1 of all pairs together.
        together: (K, K) images that have both labels; the diagonal has those with one.
        false_negatives: (K,) images with the label for which it is not predicted.
        false_positives: (K,) images without the label for which it is predicted.
    """

    thresholds: tuple[float, ...]
    hamming_loss: Interval
    micro_f1: Interval
    together: IntArray
    false_negatives: IntArray
    false_positives: IntArray

    @property
    def headline(self) -> tuple[str, ...]:
        """Return the names of the headline metrics."""
        return _HEADLINE

    @property
    def constant_loss(self) -> float:
        """Return the Hamming loss of predicting for every image exactly the labels that most images have."""
        rarer = [min(c.support, self.count - c.support) for c in self.per_class]
        return sum(rarer) / len(rarer) / self.count

    def to_json(self) -> JsonObject:
        """Return the metrics as `metrics.json` holds them."""
        errors = zip(self.per_class, self.thresholds, self.false_negatives, self.false_positives, strict=True)
        return {
            "split": self.split,
            **{name: asdict(getattr(self, name)) for name in (*_HEADLINE, *_BESIDE)},
            "constant_hamming_loss": self.constant_loss,
            "roc_auc": metric_json(self.roc_auc, _NO_LABEL),
            "average_precision": metric_json(self.average_precision, _NO_LABEL),
            "per_class": {
                c.label: {
                    **c.to_json(),
                    "threshold": t,
                    "false_negatives": int(false_negatives),
                    "false_positives": int(false_positives),
                }
                for c, t, false_negatives, false_positives in errors
            },
            "together": self.together.tolist(),
            "labels": list(self.labels),
            "reliability": [asdict(b) for b in self.reliability],
        }
