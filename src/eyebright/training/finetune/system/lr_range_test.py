"""Learning-rate range test: the rate rises from step to step until the loss explodes."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

_LOWEST, _HIGHEST = 1e-6, 1.0
_FEWEST_STEPS = 20
_SMOOTHING = 0.8
_EXPLODED = 4.0
_AS_GOOD_AS_THE_BEST = 1.05
_MARGIN = 10.0


@dataclass(frozen=True)
class RateTest:
    """Losses by learning rate, and the proposed rate.

    Attributes:
        rates: of the steps.
        losses: of the steps, smoothed.
        suggestion: a tenth of the highest rate up to which the loss was within 5 % of its lowest.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float


def find_rate(
    step: Callable[[float], float],
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int = 100,
    seconds: float | None = None,
) -> RateTest:
    """Train with rising rates, then restore network, optimiser and random state bit by bit.

    Args:
        step: moves the weights by one batch at a learning rate, and gives the batch's loss.
        net: what it moves.
        optimizer: what it moves with.
        steps: from the lowest rate, 1e-6, to the highest, 1; fewer are done when the loss explodes.
        seconds: that all steps may take, at the pace of the first; the rate then rises in fewer of them, but
            in 20 at least. None for as long as they need.
    """
    rates: list[float] = []
    losses: list[float] = []
    average = 0.0
    with _put_back(net, optimizer):
        began, place, rate = time.monotonic(), 0, _LOWEST
        while place < steps:
            loss = step(rate)
            if place == 0 and seconds is not None:
                took = max(time.monotonic() - began, 1e-9)
                steps = int(min(steps, max(_FEWEST_STEPS, seconds / took)))
            average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
            smoothed = average / (1 - _SMOOTHING ** (len(losses) + 1))
            if not math.isfinite(smoothed) or smoothed > _EXPLODED * min(losses, default=math.inf):
                break
            rates.append(rate)
            losses.append(smoothed)
            place += 1
            rate = _LOWEST * (_HIGHEST / _LOWEST) ** (place / max(steps - 1, 1))
    return RateTest(rates, losses, suggest(rates, losses))


def suggest(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Return the suggestion from what was seen (see :class:`RateTest`); the lowest rate if that was nothing.

    The curve of a head that starts from its solution is flat: where it turns up says more than its slope.
    """
    if not losses:
        return _LOWEST
    limit = min(losses) * _AS_GOOD_AS_THE_BEST
    good = max(place for place, loss in enumerate(losses) if loss <= limit)
    return rates[good] / _MARGIN


@contextmanager
def _put_back(net: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    weights = copy.deepcopy(net.state_dict())
    moments = copy.deepcopy(optimizer.state_dict())
    mode = net.training
    with torch.random.fork_rng():
        try:
            yield
        finally:
            net.load_state_dict(weights)
            optimizer.load_state_dict(moments)
            optimizer.zero_grad(set_to_none=True)
            net.train(mode)
