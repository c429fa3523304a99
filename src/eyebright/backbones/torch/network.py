"""A backbone that can be trained: a PyTorch module with its card and the places to cut or freeze it at."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from eyebright.backbones.card import BackboneCard, wrong_size
from eyebright.backbones.torch.blocks import feature_layers, find_blocks, smallest_map

if TYPE_CHECKING:
    from torch import nn

    from eyebright.backbones.card import Preprocessing


@dataclass
class Network:
    """A trainable backbone.

    Attributes:
        body: normalised pixels (B, 3, S, S) → pooled features (B, D); no classifier, no dropout before one.
        card: what is known of the weights; its sha is the hash of the body's tensors.
        blocks: names of the body's submodules in order of execution, the stem first: stages or transformer
            blocks. What runs between two of them belongs to the later one; what runs after the last one
            belongs to the last.
        fixed_size: the one S that it was built for; None where any multiple of the card's stride will do.
        pretrained: False where the weights are random.
        depths: of every parameter's name, the place of its block in ``blocks``.
        code: hash of what the body computes, where name and tensors do not tell; empty where they do.
    """

    body: nn.Module
    card: BackboneCard
    blocks: tuple[str, ...]
    fixed_size: int | None
    pretrained: bool
    depths: dict[str, int]
    code: str = ""

    def refresh_card(self) -> None:
        """Give the card the hash of the weights as they are now."""
        self.card = replace(self.card, sha=fingerprint(self.body, self.card.name + self.code))


@dataclass(frozen=True)
class Origin:
    """Facts about a network that only its source knows.

    Attributes:
        name: of the backbone.
        preprocessing: as the weights were trained; its size is the one that the network was built for.
        fixed: whether it takes that size only.
        licence: SPDX identifier of the weights' licence, "unknown" where nobody said.
        source: where the weights come from.
        accuracy: ImageNet top-1 as a fraction, None where unknown.
        pretrained: False where the weights are random.
    """

    name: str
    preprocessing: Preprocessing
    fixed: bool
    licence: str
    source: str
    accuracy: float | None
    pretrained: bool


def make_network(body: nn.Module, origin: Origin) -> Network:
    """Look for the body's blocks by one pass of one blank image, and writes its card.

    Raises:
        ConfigError: the image's size is none that the network can take.
        ModelError: the network gives no row of features.
    """
    set_drop_path(body, 0.0)
    body.eval()
    size = origin.preprocessing.size
    try:
        found = find_blocks(body, size)
    except (RuntimeError, AssertionError, IndexError) as error:
        raise wrong_size(origin.name, size) from error
    parameters = sum(p.numel() for p in body.parameters())
    card = BackboneCard(
        name=origin.name,
        parameters=parameters,
        size_bytes=sum(t.numel() * t.element_size() for t in body.state_dict().values()),
        accuracy=origin.accuracy,
        licence=origin.licence,
        source=origin.source,
        sha=fingerprint(body, origin.name),
        stride=_stride(size, smallest_map(found), origin.fixed),
        preprocessing=origin.preprocessing,
        layers=feature_layers(found),
        fixed_size=size if origin.fixed else None,
    )
    return Network(
        body, card, found.names, size if origin.fixed else None, origin.pretrained, dict(found.depths)
    )


def _stride(size: int, side: int, fixed: bool) -> int:
    """Return the stride, from the sides of the input and the smallest map; padding may have rounded up."""
    return size // side if fixed else 1 << (-(-size // side) - 1).bit_length()


def fingerprint(body: nn.Module, name: str) -> str:
    """Return BLAKE2b-128 of the architecture's name and of all tensors with their names, in hex."""
    digest = hashlib.blake2b(name.encode(), digest_size=16)
    for key, tensor in sorted(body.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


# The modules that skip a residual branch at random, and the attribute that holds how often.
_DROP_PATH = {"DropPath": "drop_prob", "StochasticDepth": "p"}


def drop_layer(body: nn.Module, name: str) -> str:
    """Replace the layer ``name``, and the dropout beside it, by the identity; return the name."""
    parent, _, own = name.rpartition(".")
    container = body.get_submodule(parent)
    setattr(container, own, torch.nn.Identity())
    for child, module in container.named_children():
        if isinstance(module, torch.nn.Dropout):
            setattr(container, child, torch.nn.Identity())
    return name


def set_drop_path(body: nn.Module, rate: float) -> bool:
    """Let whole residual branches be skipped in training, the later the oftener, up to ``rate``.

    Returns:
        False where the architecture has no place for it, and nothing was changed.
    """
    found = [
        (module, attribute)
        for module in body.modules()
        for kind, attribute in _DROP_PATH.items()
        if type(module).__name__.endswith(kind)
    ]
    for place, (module, attribute) in enumerate(found, start=1):
        setattr(module, attribute, rate * place / len(found))
    return bool(found)
