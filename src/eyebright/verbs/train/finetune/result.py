"""What one way of training came to, judged on the images that are held out for comparisons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eyebright.evaluation.calibration import calibrated
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.intervals import share_of
from eyebright.training.linear_probe.targets import correct, image_losses
from eyebright.training.ood import energy
from eyebright.types import FloatArray, IntArray, Interval
from eyebright.verbs.train.finetune.recipe import Name
from eyebright.verbs.train.trained_model import TrainedModel


@dataclass(frozen=True)
class Tuned:
    """What one way of training came to, judged on the held-out images.

    Attributes:
        name: how much of the network learned.
        trained: ready to be sealed.
        losses: (N',) log loss of the held-out images, in nats, with the temperature.
        correct: how many of them are named right.
    """

    name: Name
    trained: TrainedModel
    losses: FloatArray
    correct: int

    @property
    def accuracy(self) -> Interval:
        """On the held-out images."""
        return share_of(self.correct, len(self.losses))

    def figures(self) -> dict[str, Any]:
        """For `metrics.json`."""
        interval = self.accuracy
        return {
            "log_loss": float(self.losses.mean()),
            "accuracy": {"value": interval.value, "low": interval.low, "high": interval.high},
            "images": len(self.losses),
        }


def judged(name: Name, trained: TrainedModel, logits: FloatArray, truth: IntArray) -> Tuned:
    """What ``trained`` came to, from its logits (N', K) of the held-out images and their truth."""
    probabilities = calibrated(logits, trained.temperature, trained.several)
    scaled = logits / np.float32(trained.temperature)
    trained = replace(
        trained,
        holdout=Labelled(probabilities, truth, "train"),
        holdout_energy=None if trained.several else energy(scaled),
    )
    return Tuned(name, trained, image_losses(scaled, truth), int(correct(logits, truth).sum()))
