"""The number format of the forward pass, chosen by a short trial: bfloat16 slows some networks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from eyebright.training.finetune.recipe import Precision

_ROUNDS = 3
_TOLERANCE = 0.02


@dataclass(frozen=True)
class PrecisionTrial:
    """The trial of one number format.

    Attributes:
        precision: the format.
        seconds: median time of a step; infinite where it failed.
        loss: of the trial's batch; NaN where it failed.
        agrees: whether the loss is the first format's, within 2 %.
    """

    precision: Precision
    seconds: float
    loss: float
    agrees: bool


def candidates(device: torch.device) -> tuple[Precision, ...]:
    """Return the formats worth a trial on a device; the first, float32, is what others are compared with."""
    if device.type == "mps":
        return ("fp32", "fp16")
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ("fp32", "fp16")
    return ("fp32", "bf16")


def choose(
    step: Callable[[Precision], float],
    formats: Sequence[Precision],
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Precision, list[PrecisionTrial]]:
    """Return the fastest format whose loss agrees with the first one's.

    Args:
        step: makes the gradients of always the same batch in a format, drops them, and gives the loss, as a
            number (so that it waits for the device).
        formats: to be compared; the first is chosen unless another proves better.
        clock: seconds.

    Returns:
        The format, and the trial of each.
    """
    losses = {name: _loss(step, name) for name in formats}  # which also warms up
    working = [name for name in formats if not math.isnan(losses[name])]
    seconds: dict[Precision, list[float]] = {name: [] for name in working}
    for _ in range(_ROUNDS):  # in turns, so that a disturbance meets all
        for name in working:
            began = clock()
            step(name)
            seconds[name].append(clock() - began)
    first = losses[working[0]] if working else math.nan
    trials = [
        PrecisionTrial(
            name,
            median(seconds[name]) if name in seconds else math.inf,
            losses[name],
            math.isclose(losses[name], first, rel_tol=_TOLERANCE),
        )
        for name in formats
    ]
    fit = [trial for trial in trials if trial.agrees]
    return min(fit, key=lambda trial: trial.seconds).precision if fit else formats[0], trials


def _loss(step: Callable[[Precision], float], name: Precision) -> float:
    try:
        loss = step(name)
    except RuntimeError:  # memory, or an operation that the device lacks in this format
        return math.nan
    return loss if math.isfinite(loss) else math.nan
