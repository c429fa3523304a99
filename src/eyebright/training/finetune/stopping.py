"""Early stopping: which epoch was the best, and whether it still gets better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class Stopping:
    """What is known of the held-out results so far; plain values, so that a checkpoint can hold it.

    Attributes:
        on: the figure that must gain.
        min_delta: the least gain that counts.
        patience: epochs without gain after which it is enough; 0 never is.
        best: the best figure, as one that is better when it is smaller; None before the first.
        best_epoch: where it was reached.
        waited: epochs since.
    """

    on: Literal["loss", "accuracy"] = "loss"
    min_delta: float = 1e-4
    patience: int = 5
    best: float | None = None
    best_epoch: int = 0
    waited: int = 0

    def update(self, epoch: int, loss: float, accuracy: float) -> bool:
        """Takes the results of an epoch, and says whether they are the best so far."""
        figure = loss if self.on == "loss" else -accuracy
        if self.best is not None and not figure < self.best - self.min_delta:
            self.waited += 1
            return False
        self.best, self.best_epoch, self.waited = figure, epoch, 0
        return True

    def exhausted(self) -> bool:
        """Whether training has waited long enough for a gain."""
        return 0 < self.patience <= self.waited
