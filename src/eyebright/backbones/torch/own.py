"""Modules of the user's own: as a backbone, and as a transform before one that the sealed model keeps."""

from __future__ import annotations

import copy
import hashlib
from typing import TypeAlias

import torch
from torch import Tensor, nn

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.torch.exported import to_onnx
from eyebright.backbones.torch.network import Network, Origin, make_network
from eyebright.errors import ConfigError

#: For those that must not import torch.
TorchModule: TypeAlias = nn.Module


def own_network(
    module: object,
    name: str,
    preprocessing: Preprocessing,
    *,
    fixed: bool,
    licence: str,
    pretrained: bool,
) -> Network:
    """Return a user's module as a backbone; the module itself stays as it is.

    Args:
        module: normalised pixels (B, 3, S, S) → features (B, D), or a map (B, C, h, w), whose mean is taken.
        name: of the backbone.
        preprocessing: as the module was trained; its size is the one that it is watched at.
        fixed: whether it takes that size only.
        licence: SPDX identifier, or "unknown".
        pretrained: False where its weights are random.

    Raises:
        ConfigError: it is no module, has no weights, or does not take images of that size.
        ModelError: it gives no features, or cannot be exported to ONNX.
    """
    if not isinstance(module, nn.Module) or next(module.parameters(), None) is None:
        raise ConfigError(
            "A backbone of your own must be a torch.nn.Module with weights. Got {kind}. Give the network.",
            kind=type(module).__name__,
        )
    body = _body_of(copy.deepcopy(module).cpu().float().eval(), name, preprocessing.size)
    origin = Origin(
        name=name,
        preprocessing=preprocessing,
        fixed=fixed,
        licence=licence,
        source="your own module",
        accuracy=None,
        pretrained=pretrained,
    )
    return _with_code(make_network(body, origin))


def with_transform(network: Network, transform: object) -> Network:
    """Return a network that transforms pixels before its own body; both stay as they are.

    The transform is part of the graph, so it is sealed with the model.

    Args:
        network: the backbone.
        transform: RGB pixels (B, 3, S, S) from 0 to 1 → the same shape.

    Raises:
        ConfigError: it is no module, has parameters, or gives something else.
        ModelError: it cannot be exported to ONNX.
    """
    if not isinstance(transform, nn.Module):
        raise ConfigError(
            "A transform for inference must be a torch.nn.Module: the sealed model can only hold what can be "
            "exported to ONNX. Got {kind}. Write it as a module of tensor operations, or use transform= for "
            "training alone.",
            kind=type(transform).__name__,
        )
    if next(transform.parameters(), None) is not None:
        raise ConfigError(
            "A transform for inference must have no parameters. {name} has some. Register them as buffers, "
            "or make it part of a backbone of your own.",
            name=type(transform).__name__,
        )
    seen = network.card.preprocessing
    front = copy.deepcopy(transform).cpu().eval()
    _try_transform(front, seen.size)
    body = _Transformed(front, copy.deepcopy(network.body), seen)
    card = network.card
    origin = Origin(
        name=f"{card.name}+{type(transform).__name__}",
        preprocessing=seen,
        fixed=network.fixed_size is not None,
        licence=card.licence,
        source=card.source,
        accuracy=card.accuracy,
        pretrained=network.pretrained,
    )
    return _with_code(make_network(body, origin))


def _try_transform(transform: nn.Module, size: int) -> None:
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            found, again = (transform(pixels) for _ in range(2))
    except Exception as error:  # a user's code raises whatever it likes
        raise ConfigError(
            "A transform for inference must take RGB pixels (B, 3, S, S) from 0 to 1. {name} failed: "
            "{reason}. Correct it.",
            name=type(transform).__name__,
            reason=error,
        ) from error
    if not isinstance(found, Tensor) or found.shape != pixels.shape:
        raise ConfigError(
            "A transform for inference must keep the shape (B, 3, S, S). {name} gave {found}. Correct it.",
            name=type(transform).__name__,
            found=f"{type(found).__name__} {tuple(getattr(found, 'shape', ()))}",
        )
    if not torch.equal(found, again):
        raise ConfigError(
            "A transform for inference must always give the same. {name} draws at random. Use transform= for "
            "augmentation in training.",
            name=type(transform).__name__,
        )


def _with_code(network: Network) -> Network:
    """Return the network with the hash of its graph: two bodies may share all weights and yet differ."""
    size = network.card.preprocessing.size
    graph = to_onnx(network.body, torch.zeros(2, 3, size, size), "pixels", ["features"])
    network.code = hashlib.blake2b(graph.SerializeToString(deterministic=True), digest_size=16).hexdigest()
    network.refresh_card()
    return network


def _body_of(module: nn.Module, name: str, size: int) -> nn.Module:
    """Return a module whose features are rows: of a map, the mean over its places."""
    try:
        with torch.no_grad():
            found = module(torch.zeros(2, 3, size, size))
    except Exception as error:  # a user's code raises whatever it likes
        raise ConfigError(
            "A backbone of your own must take normalised pixels (B, 3, S, S). {name} failed at {size} px: "
            "{reason}. Correct it, or give the size that it takes.",
            name=name,
            size=size,
            reason=error,
        ) from error
    if not isinstance(found, Tensor) or found.ndim not in (2, 4) or len(found) != 2:
        raise ConfigError(
            "A backbone of your own must give features (B, D), or a map (B, C, h, w). {name} gave {found}. "
            "Leave out the classifier, and give one tensor.",
            name=name,
            found=f"{type(found).__name__} {tuple(getattr(found, 'shape', ()))}",
        )
    return _MeanOfMap(module) if found.ndim == 4 else module


class _MeanOfMap(nn.Module):
    """The mean (B, C) over the places of a module's map (B, C, h, w)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.module(pixels)
        return found.mean((2, 3))


class _Transformed(nn.Module):
    """A body behind a transform of pixels from 0 to 1."""

    mean: Tensor
    std: Tensor

    def __init__(self, transform: nn.Module, body: nn.Module, seen: Preprocessing) -> None:
        super().__init__()
        self.transform, self.body = transform, body
        self.register_buffer("mean", torch.tensor(seen.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(seen.std).view(1, 3, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        pixels = (inputs * self.std + self.mean).clamp(0, 1)
        features: Tensor = self.body((self.transform(pixels) - self.mean) / self.std)
        return features
