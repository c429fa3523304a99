"""The blocks of a network (stages or transformer blocks), found by watching one blank image pass through it.

A network's trunk is a row of numbered siblings (`layer1` to `layer4`, `blocks.0` to `blocks.11`) that holds
most of its weights; this is so in every library, whatever the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from eyebright.backbones.card import Layer
from eyebright.errors import ModelError

# More blocks than this are transformer blocks of one width, and a few of them say as much as all.
_MANY_BLOCKS = 8
_TAPS_OF_MANY = 4


@dataclass(frozen=True)
class MapShape:
    """How a block's output is read as a map (B, C, h, h).

    Attributes:
        order: "nchw"; "nhwc"; or "tokens" (B, prefix + h · h, C).
        channels: C.
        side: h, for the size that the network was watched at.
        prefix: tokens before those of the map.
    """

    order: Literal["nchw", "nhwc", "tokens"]
    channels: int
    side: int
    prefix: int = 0


@dataclass(frozen=True)
class Blocks:
    """Blocks of a network, and where they lie.

    Attributes:
        names: of the blocks, in order of execution.
        maps: of the blocks whose output is a map.
        depths: of every parameter's name, the place of its block.
        features: D, the width of the pooled features.
    """

    names: tuple[str, ...]
    maps: Mapping[str, MapShape]
    depths: Mapping[str, int]
    features: int


def find_blocks(body: nn.Module, size: int) -> Blocks:
    """Find the blocks of ``body`` by one pass of a blank image of ``size`` pixels a side.

    Raises:
        ModelError: its output is not one row (B, D).
    """
    steps = outputs_of(body, torch.zeros(1, 3, size, size))
    features = first_tensor(steps.pop(""))
    if features is None or features.ndim != 2:
        raise ModelError(
            "A backbone must output one feature vector per image. {name} does not. Choose another backbone.",
            name=type(body).__name__,
        )
    sizes = _parameters_below(body)
    trunk = _trunk(steps, sizes)
    names = (*_stem(list(steps), trunk), *trunk)
    maps = {name: shape for name in names if (shape := map_shape(body, steps[name])) is not None}
    return Blocks(names, maps, _depths(body, list(steps), names), features.shape[1])


def outputs_of(body: nn.Module, pixels: Tensor) -> dict[str, object]:
    """Return what each submodule gave, in the order in which they ended; the body's output last, as ""."""
    outputs: dict[str, object] = {}

    def record(name: str, module: nn.Module) -> RemovableHandle:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            outputs.setdefault(name, output)

        return module.register_forward_hook(hook)

    training = {module: module.training for module in body.modules()}
    handles = [record(name, module) for name, module in body.named_modules()]
    try:
        body.eval()
        with torch.no_grad():
            body(pixels)
    finally:
        for handle in handles:
            handle.remove()
        for module, was in training.items():
            module.training = was
    return outputs


def _parameters_below(body: nn.Module) -> dict[str, int]:
    return {name: sum(p.numel() for p in module.parameters()) for name, module in body.named_modules()}


def _trunk(steps: Mapping[str, object], sizes: Mapping[str, int]) -> list[str]:
    """Return the numbered siblings with the most weights, the outermost that hold half of them if any."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in steps:
        parent, _, own = name.rpartition(".")
        if own[-1].isdigit():
            groups.setdefault((parent, re.sub(r"[\d_]", "", own)), []).append(name)
    rows = [row for row in groups.values() if len(row) > 1 and _is_spatial(steps[row[0]])]
    weights = [sum(sizes[name] for name in row) for row in rows]
    half = [row for row, weight in zip(rows, weights, strict=True) if 2 * weight >= sizes[""]]
    if half:
        return min(half, key=lambda row: row[0].count("."))
    children = _children(steps, sizes)
    best = max(rows, key=lambda row: sum(sizes[n] for n in row), default=children)
    return best if 3 * sum(sizes[name] for name in best) >= sizes[""] else children


def _children(steps: Mapping[str, object], sizes: Mapping[str, int]) -> list[str]:
    """Return the outermost modules with weights, for a network without numbered siblings."""
    prefix = ""
    while True:
        depth = prefix.count(".")
        row = [n for n in steps if n.startswith(prefix) and n.count(".") == depth and sizes[n]]
        spatial = [n for n in row if _is_spatial(steps[n])]
        if len(spatial) != 1:
            return spatial or row
        prefix = f"{spatial[0]}."


def first_tensor(output: object) -> Tensor | None:
    """Return a module's output, or the first of its outputs; None where that is no tensor."""
    if isinstance(output, (tuple, list)) and output:
        output = output[0]
    return output if isinstance(output, Tensor) else None


def _is_spatial(output: object) -> bool:
    """Return whether a module's output still has places: (B, C, h, w) or (B, N, C)."""
    tensor = first_tensor(output)
    return tensor is not None and tensor.ndim in (3, 4) and tensor[0].numel() > max(tensor.shape[1:])


def _inside(name: str, block: str) -> bool:
    return name == block or name.startswith(f"{block}.")


def _stem(order: Sequence[str], trunk: Sequence[str]) -> Iterator[str]:
    """Yield what ended last before the first block began, if that was anything."""
    first = next(place for place, name in enumerate(order) if _inside(name, trunk[0]))
    if first:
        yield order[first - 1]


def _depths(body: nn.Module, order: Sequence[str], blocks: Sequence[str]) -> dict[str, int]:
    """Return the place of each parameter's block: the one that it is in, or else the next to end."""
    ended = {name: place for place, name in enumerate(order)}
    last = len(blocks) - 1

    def depth(owner: str) -> int:
        for place, block in enumerate(blocks):
            if _inside(owner, block):
                return place
        if owner not in ended or any(_inside(block, owner) for block in blocks):
            return 0  # position embeddings and class tokens belong to whatever holds the blocks
        return min(last, sum(ended[block] < ended[owner] for block in blocks))

    return {name: depth(name.rpartition(".")[0]) for name, _ in body.named_parameters()}


def map_shape(body: nn.Module, output: object) -> MapShape | None:
    """Return how a block's output, made from a square image, is read as a map; None where it cannot be."""
    tensor = first_tensor(output)
    if tensor is None or tensor.ndim not in (3, 4):
        return None
    if tensor.ndim == 4:
        _, first, second, third = tensor.shape
        if second == third:
            return MapShape("nchw", first, second)
        return MapShape("nhwc", third, first) if first == second else None
    count, channels = tensor.shape[1:]
    known = getattr(body, "num_prefix_tokens", None)
    side = isqrt(count)
    if isinstance(known, int) and isqrt(count - known) ** 2 == count - known:
        side = isqrt(count - known)
    return MapShape("tokens", channels, side, count - side * side)


def as_map(output: object, shape: MapShape) -> Tensor:
    """Return a block's output as (B, C, h, h); h may differ from the one that was watched."""
    tensor = first_tensor(output)
    if tensor is None:
        raise TypeError("the block gave no tensor")
    if shape.order == "nchw":
        return tensor
    if shape.order == "nhwc":
        return tensor.permute(0, 3, 1, 2)
    tokens = tensor[:, shape.prefix :].transpose(1, 2)
    side = isqrt(tokens.shape[2])
    return tokens.reshape(-1, shape.channels, side, side)


def smallest_map(found: Blocks) -> int:
    """Return the side of the smallest map."""
    return min((shape.side for shape in found.maps.values()), default=1)


def feature_layers(found: Blocks) -> tuple[Layer, ...]:
    """Return the layers whose maps become features: every stage or a few of many blocks, and the pooled."""
    names = [name for name in found.names if name in found.maps]
    if len(names) > _MANY_BLOCKS:
        blocks = len(names)
        names = [names[round(blocks * (i + 1) / _TAPS_OF_MANY) - 1] for i in range(_TAPS_OF_MANY)]
    stages = [Layer(name, found.maps[name].channels, place, "stage") for place, name in enumerate(names)]
    return (*stages, Layer("final", found.features, len(stages), "final"))
