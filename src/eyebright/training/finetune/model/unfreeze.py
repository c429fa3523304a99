"""Gradual unfreezing: units begin to learn one after another, the last first."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from torch import nn

_SHARE = 0.5


def deepest_learning(epoch: int, epochs: int, deepest: int) -> int:
    """How far from the head parameters learn in an epoch.

    The head and the last unit learn from the first epoch on, everything from half of the training on.

    Args:
        epoch: from 0.
        epochs: of the whole training.
        deepest: the greatest distance from the head that there is to reach.
    """
    steps = max(1, ceil(epochs * _SHARE))
    return min(deepest, max(1, ceil(deepest * (epoch + 1) / steps)))


def unfreeze(net: nn.Module, depth_of: Mapping[str, int], deepest: int) -> None:
    """Lets parameters in ``depth_of`` learn that are at most ``deepest`` from the head, and stops the others.

    Args:
        net: whose parameters they are.
        depth_of: distance from the head by name; what it does not name stays as it is.
        deepest: see :func:`deepest_learning`.
    """
    for name, parameter in net.named_parameters():
        if name in depth_of:
            parameter.requires_grad_(depth_of[name] <= deepest)
