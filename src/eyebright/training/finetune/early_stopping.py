"""Early stopping: which epoch was the best, and whether it still gets better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass
class Stopping:
    """Holdout results so far, as plain values that a checkpoint can hold.

    Attributes:
        on: the figure that must gain.
        min_delta: the least gain that counts.
        patience: epochs without gain after which it is enough; 0 never is.
        best: the best figure, as one that is better when it is smaller; None before the first.
        best_epoch: where it was reached.
        trained: the best figure of a trained epoch. What training began with may be better for long: a high
            learning rate takes a solved head off its optimum before it finds a better one.
        waited: epochs since that.
    """

    on: Literal["loss", "accuracy"] = "loss"
    min_delta: float = 1e-4
    patience: int = 5
    best: float | None = None
    best_epoch: int = 0
    trained: float | None = None
    waited: int = 0

    def update(self, epoch: int, loss: float, accuracy: float, counts: bool = True) -> bool:
        """Take the results of an epoch, and return whether they are the best so far.

        Args:
            epoch: its number; 0 is the network as it was given.
            loss: on the holdout images.
            accuracy: likewise.
            counts: whether an epoch without gain is one that was waited.
        """
        figure = loss if self.on == "loss" else -accuracy
        if epoch:
            gains = self._is_less(figure, self.trained)
            self.trained = figure if gains else self.trained
            self.waited = 0 if gains else self.waited + counts
        if not self._is_less(figure, self.best):
            return False
        self.best, self.best_epoch = figure, epoch
        return True

    def _is_less(self, figure: float, best: float | None) -> bool:
        if best is None or math.isnan(best):  # nothing is less than NaN
            return best is None or not math.isnan(figure)
        return figure < best - self.min_delta

    def exhausted(self) -> bool:
        """Return whether training has waited long enough for a gain."""
        return 0 < self.patience <= self.waited
