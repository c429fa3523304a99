"""Optimisers with learning rates by depth, without weight decay where it does harm; gradual unfreezing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, TypeAlias, TypedDict

import torch
from torch import nn

Optimizer: TypeAlias = torch.optim.Optimizer

_MOMENTUM = 0.9
_GRADUAL_SHARE = 0.5  # of the training, after which every block is trained
# Tables that are added to tokens; pulling them to zero would move every token.
_NO_DECAY = ("pos_embed", "position_embed", "pos_embedding", "cls_token", "class_token", "relative_position")


class ParameterGroup(TypedDict):
    """Parameters with their settings, as torch.optim takes them.

    Attributes:
        params: the parameters.
        weight_decay: of these.
        lr: their highest learning rate.
        lr_scale: what that is of the head's.
    """

    params: list[nn.Parameter]
    weight_decay: float
    lr: float
    lr_scale: float


def depths(names: Iterable[str], places: Mapping[str, int], prefix: str = "body.") -> dict[str, int]:
    """Return the distance of each parameter from the head: 0 for its own, 1 for the last block's, ...

    Args:
        names: parameters of the whole network, body and head.
        places: of each of the body's parameters, its block's place (``Network.depths``), as the body was
            built. Those added later (a folded bias, an adapter) stand where their nearest owner stands.
        prefix: of the body's parameters within ``names``.
    """
    owners = {name.rpartition(".")[0]: place for name, place in places.items()}
    blocks = max(places.values(), default=-1) + 1
    return {
        name: blocks - _place(name.removeprefix(prefix), owners) if name.startswith(prefix) else 0
        for name in names
    }


def parameter_groups(
    net: nn.Module,
    depth_of: Mapping[str, int],
    lr: float,
    weight_decay: float = 0.0,
    layer_decay: float = 1.0,
) -> list[ParameterGroup]:
    """Return groups of all parameters in ``depth_of``, those that are frozen now included.

    A parameter without a gradient is passed over and costs nothing, so blocks may begin to learn later.

    Args:
        net: whose parameters they are.
        depth_of: distance from the head, by name (:func:`depths`).
        lr: highest learning rate of the head.
        weight_decay: pull to zero; norms, biases, position embeddings and class tokens are spared.
        layer_decay: factor on the learning rate for each block further from the head.

    Returns:
        Groups with ``lr`` = lr · ``lr_scale``; a schedule sets ``lr`` = lr · factor · ``lr_scale``.
    """
    return [
        {
            "params": parameters,
            "weight_decay": decay,
            "lr": lr * layer_decay**depth,
            "lr_scale": layer_decay**depth,
        }
        for (depth, decay), parameters in _groups(net, depth_of, weight_decay).items()
    ]


def make_optimizer(
    net: nn.Module,
    depth_of: Mapping[str, int],
    name: str,
    lr: float,
    weight_decay: float = 0.0,
    layer_decay: float = 1.0,
) -> Optimizer:
    """Return an optimiser of :func:`parameter_groups`.

    Args:
        net: whose parameters they are.
        depth_of: distance from the head, by name.
        lr: highest learning rate of the head.
        weight_decay: pull to zero.
        layer_decay: factor on the learning rate for each block further from the head.
        name: ``"adamw"``, ``"adam"`` or ``"sgd"`` (Nesterov's momentum, 0.9).
    """
    found = parameter_groups(net, depth_of, lr, weight_decay, layer_decay)
    groups: list[dict[str, Any]] = [{**group} for group in found]  # as torch.optim has them
    # One kernel for all parameters: XLA has none, and some versions of MPS ignore what overflowed in fp16.
    fused = next(net.parameters()).device.type in ("cpu", "cuda")
    match name:
        case "adamw":
            return torch.optim.AdamW(groups, fused=fused)
        case "adam":
            return torch.optim.Adam(groups, fused=fused)
        case "sgd":
            return torch.optim.SGD(groups, momentum=_MOMENTUM, nesterov=True, fused=fused)
    raise ValueError(f"{name} is no optimiser")


def unfrozen_depth(epoch: int, epochs: int, deepest: int) -> int:
    """Return how far from the head parameters are trained in an epoch of gradual unfreezing.

    The head and the last block are trained from the first epoch on, everything from half of the training on.

    Args:
        epoch: from 0.
        epochs: of the whole training.
        deepest: the greatest distance from the head that there is to reach.
    """
    steps = max(1, ceil(epochs * _GRADUAL_SHARE))
    return min(deepest, max(1, ceil(deepest * (epoch + 1) / steps)))


def unfreeze(net: nn.Module, depth_of: Mapping[str, int], deepest: int) -> None:
    """Train the parameters in ``depth_of`` that are at most ``deepest`` from the head, and freeze its others.

    Args:
        net: whose parameters they are.
        depth_of: distance from the head by name; what it does not name stays as it is.
        deepest: see :func:`unfrozen_depth`.
    """
    for name, parameter in net.named_parameters():
        if name in depth_of:
            parameter.requires_grad_(depth_of[name] <= deepest)


def _groups(
    net: nn.Module, depth_of: Mapping[str, int], weight_decay: float
) -> dict[tuple[int, float], list[nn.Parameter]]:
    """Return parameters by depth and weight decay, the head's first."""
    groups: dict[tuple[int, float], list[nn.Parameter]] = {}
    named = [(name, parameter) for name, parameter in net.named_parameters() if name in depth_of]
    for name, parameter in sorted(named, key=lambda pair: depth_of[pair[0]]):
        spared = parameter.ndim < 2 or any(part in name for part in _NO_DECAY)
        groups.setdefault((depth_of[name], 0.0 if spared else weight_decay), []).append(parameter)
    return groups


def _place(name: str, owners: Mapping[str, int]) -> int:
    """Return the place of the nearest owner that has one; 0 (the stem's) for what is in no block."""
    owner = name
    while owner:
        owner = owner.rpartition(".")[0]
        if owner in owners:
            return owners[owner]
    return 0
