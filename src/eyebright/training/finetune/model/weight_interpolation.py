"""Weights between those that training began with and those that it found.

On the straight line between the two there are often weights that are better than either: the start knows
what is general, the end what is special (Wortsman et al., 2022, "Robust fine-tuning of zero-shot models").
They cost nothing when the model is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

#: Tensors of a network by name.
Weights: TypeAlias = Mapping[str, Tensor]

SHARES = (1.0, 0.75, 0.5, 0.25)


def interpolate(
    net: nn.Module,
    start: Weights,
    holdout_loss: Callable[[], float],
    shares: tuple[float, ...] = SHARES,
) -> float:
    """Interpolate the network to the best place between ``start`` and its own weights.

    Args:
        net: with the weights that training found.
        start: the weights that it began with, by name.
        holdout_loss: of the network as it is.
        shares: how far from the start to look.

    Returns:
        The share of the way at which the loss is lowest.
    """
    losses = losses_between(net, start, holdout_loss, shares)
    best = min(losses, key=lambda share: losses[share])
    net.load_state_dict(_between(start, copy_weights(net), best))
    return best


def losses_between(
    net: nn.Module, start: Weights, holdout_loss: Callable[[], float], shares: tuple[float, ...]
) -> dict[float, float]:
    """Return the loss at each share of the way from ``start``; the network keeps its own weights."""
    found = copy_weights(net)
    losses = {}
    for share in shares:
        net.load_state_dict(_between(start, found, share))
        losses[share] = holdout_loss()
    net.load_state_dict(found)
    return losses


def copy_weights(net: nn.Module) -> dict[str, Tensor]:
    """Copy of the network's tensors by name."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def _between(start: Weights, found: Weights, share: float) -> dict[str, Tensor]:
    return {
        name: torch.lerp(start[name].to(tensor), tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in found.items()
    }
