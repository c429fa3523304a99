"""How the learning rate runs over a training, as a factor on its highest value."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, pi

_FIRST = 0.04  # of the highest rate, where a rise begins; that of one-cycle in fastai and torch
_HALF = 0.5
_LAST = 4e-6  # where one-cycle ends, likewise


def rate_factor(name: str, share: float, warmup: float = 0.0) -> float:
    """Return the factor on the highest learning rate; a pure function, so it has no state to save.

    Args:
        name: ``"cosine"`` rises in a straight line, then falls to 0; ``"onecycle"`` does both along cosines;
            ``"constant"`` and ``"plateau"`` rise in a straight line and stay (see :class:`Plateau`).
        share: of the training that is done, 0 … 1.
        warmup: share of the training in which the rate rises.
    """
    share = min(max(share, 0.0), 1.0)
    if share < warmup:
        done = share / warmup
        return _FIRST + (1 - _FIRST) * (_half_wave(done) if name == "onecycle" else done)
    fallen = (share - warmup) / (1 - warmup)
    match name:
        case "cosine":
            return 1 - _half_wave(fallen)
        case "onecycle":
            return 1 - (1 - _LAST) * _half_wave(fallen)
        case "constant" | "plateau":
            return 1.0
    raise ValueError(f"{name} is no schedule")


def stalls_count(name: str, share: float) -> bool:
    """Return whether an epoch without gain counts for early stopping, after ``share`` of the training.

    While a rate that will fall is still high, the holdout loss jumps up and down; the gain comes later.
    """
    return name in ("constant", "plateau") or share >= _HALF


@dataclass
class Plateau:
    """Lowers the rate when the holdout loss stalls: ReduceLROnPlateau, as plain values for a checkpoint.

    Attributes:
        drop: what the factor is multiplied by.
        patience: epochs without gain that are let pass.
        threshold: share of the best loss that counts as gain.
        smallest: the factor that is not gone below.
        factor: on the highest learning rate, now.
        best: the lowest loss so far; None before the first.
        waited: epochs since.
    """

    drop: float = 0.2
    patience: int = 2
    threshold: float = 1e-4
    smallest: float = 1e-3
    factor: float = 1.0
    best: float | None = None
    waited: int = 0

    def update(self, loss: float) -> float:
        """Take the holdout loss of an epoch; return the factor from here on."""
        if isfinite(loss) and (self.best is None or loss < self.best * (1 - self.threshold)):
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.factor, self.waited = max(self.factor * self.drop, self.smallest), 0
        return self.factor


def _half_wave(share: float) -> float:
    """Return a value from 0 to 1 along a cosine."""
    return (1 - cos(pi * share)) / 2
