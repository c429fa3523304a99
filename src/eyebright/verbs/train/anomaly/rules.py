"""The operating point of an anomaly detector: its limit stands at a probability of one half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.evaluation.decisions.operating import Threshold
from eyebright.evaluation.decisions.targets import OperatingTarget
from eyebright.evaluation.uncertainty.results import Uncertainty
from eyebright.runs.operating_points import OperatingPoints, measure_points
from eyebright.runs.scoring import Predictions
from eyebright.runs.uncertainty import apply_rules
from eyebright.types import Split

#: The probability of an anomaly at the limit.
AT_LIMIT = 0.5


@dataclass(frozen=True)
class AnomalyRules:
    """Rules that follow from the limit, which the graph holds.

    Attributes:
        targets: that the limit was set for.
        reached: the share of false alarms on the images that it was set on.
        met: whether it keeps to the targets there.
        chosen_on: their split.
    """

    targets: Sequence[OperatingTarget]
    reached: float
    met: bool
    chosen_on: str

    def operating_points(self, predictions: Predictions, split: Split, seed: int) -> OperatingPoints:
        """Measure the limit."""
        chosen = [
            Threshold(target, AT_LIMIT, self.met, self.reached, self.chosen_on) for target in self.targets
        ]
        return measure_points(chosen, None, predictions.labels, predictions.labelled(split), seed)

    def uncertainty(self, predictions: Predictions, split: Split) -> Uncertainty:
        """Return that there are no further rules: what is unlike good images is an anomaly."""
        return apply_rules(predictions, split, None, None)
