"""Where a sealed graph's features come from: each run of them with the map that it was pooled from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import onnx

from eyebright.sealed.graph_index import Wiring
from eyebright.sealed.subgraphs import FEATURES

Pooling = Literal["mean", "max", "deviation"]
# What only gives a pooled vector another shape.
_RESHAPING = ("Unsqueeze", "Squeeze", "Reshape", "Flatten", "Identity", "Dropout")
_REDUCTIONS = ("ReduceMean", "ReduceMax", "MaxPool", "Sqrt")
_SPATIAL = {"nchw": (2, 3), "nhwc": (1, 2)}


@dataclass(frozen=True)
class Part:
    """A run of features, one a channel.

    Attributes:
        pooling: how the map became them.
        map: the value that was pooled, (B, C, h, h).
        pooled: of "max" the maximum, (B, C, 1, 1); else it is not needed.
        channels: C.
        side: h; 1 for a vector that has no places.
        channels_last: whether the map is (B, h, h, C) instead.
        factors: the constant (1, C) that the features are multiplied by behind the pooling; empty for none.
    """

    pooling: Pooling
    map: str
    pooled: str
    channels: int
    side: int
    channels_last: bool = False
    factors: str = ""


def pooled_parts(wiring: Wiring) -> list[Part] | None:
    """The parts in the order of the features; None where the graph pools in a way that is not known."""
    joined = wiring.maker(FEATURES, "Concat")
    if joined is None:
        return None
    parts = [_part(wiring, row) for row in joined.input]
    known = [part for part in parts if part is not None]
    return known if len(known) == len(parts) else None


def _part(wiring: Wiring, row: str) -> Part | None:
    scaled = wiring.maker(row, "Mul")
    if scaled is not None:  # channels that were equalised (`compression/equalise.py`)
        part = _part(wiring, scaled.input[0])
        return part and replace(part, factors=scaled.input[1])
    product = wiring.maker(row, "MatMul")
    if product is not None:
        return _product(wiring, product)
    flat = wiring.maker(row, "Flatten")
    pooling = wiring.maker(flat.input[0] if flat else row, "ReduceMean", "ReduceMax", "MaxPool", "Sqrt")
    if pooling is None:
        return None
    value = pooling.input[0]
    if pooling.op_type == "ReduceMean":
        return _mean(wiring, value)
    if pooling.op_type == "Sqrt":
        spread = _squared(wiring, value)
        return _of(wiring, "deviation", spread) if spread else None
    return _of(wiring, "max", value, pooling.output[0])


def _product(wiring: Wiring, product: onnx.NodeProto) -> Part | None:
    """A mean that is a product with equal shares (`compression/pooling.py`)."""
    rows = wiring.maker(product.input[1], "Reshape")
    return rows and _of(wiring, "mean", rows.input[0], channels_last=True)


def _squared(wiring: Wiring, variance: str) -> str | None:
    """The map whose variance this is: the mean of squared distances, or of squares less the squared mean."""
    mean = wiring.maker(variance, "ReduceMean")
    if mean is not None:
        square = wiring.maker(mean.input[0], "Mul")
        centred = square and wiring.maker(square.input[0], "Sub")
        return centred and centred.input[0]
    positive = wiring.maker(variance, "Relu")
    spread = positive and wiring.maker(positive.input[0], "Sub")
    row = spread and wiring.maker(spread.input[0], "Reshape")
    second = row and wiring.maker(row.input[0], "ReduceMean")
    square = second and wiring.maker(second.input[0], "Mul")
    planes = square and wiring.maker(square.input[0], "Flatten")
    return planes and planes.input[0]


def _mean(wiring: Wiring, value: str) -> Part | None:
    """A mean; where the network has pooled already, of the map that it pooled."""
    whole = _of(wiring, "mean", value)
    if whole is None or whole.side > 1:
        return whole
    return next(_before_pooling(wiring, value, whole.channels), whole)


def _before_pooling(wiring: Wiring, value: str, channels: int) -> Iterator[Part]:
    node = wiring.maker(value, *_RESHAPING, "ReduceMean", "GlobalAveragePool")
    while node is not None and node.op_type in _RESHAPING:
        node = wiring.maker(node.input[0], *_RESHAPING, "ReduceMean", "GlobalAveragePool")
    if node is None:
        return
    axes = _SPATIAL["nchw"] if node.op_type == "GlobalAveragePool" else wiring.axes(node)
    for order, spatial in _SPATIAL.items():
        part = _of(wiring, "mean", node.input[0], channels_last=order == "nhwc")
        if axes == spatial and part is not None and part.channels == channels:
            yield part


def _of(
    wiring: Wiring, pooling: Pooling, value: str, pooled: str = "", channels_last: bool = False
) -> Part | None:
    """The part of a map whose shape is known and square."""
    match wiring.shape(value):
        case (_, high, wide, channels) if channels_last and high == wide and high and channels:
            return Part(pooling, value, pooled, channels, high, True)
        case (_, channels, high, wide) if not channels_last and high == wide and high and channels:
            return Part(pooling, value, pooled, channels, high)
        case _:
            return None
