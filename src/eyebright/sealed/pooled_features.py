"""Where a sealed graph's features come from: each run of them with the map that it is pooled from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import onnx

from eyebright.onnx_graph.index import GraphIndex
from eyebright.sealed.subgraphs import FEATURES

Pooling = Literal["mean", "max", "deviation"]
# What only gives a pooled vector another shape.
_RESHAPING = ("Unsqueeze", "Squeeze", "Reshape", "Flatten", "Identity", "Dropout")
_REDUCTIONS = ("ReduceMean", "ReduceMax", "MaxPool", "Sqrt")
_SPATIAL = {"nchw": (2, 3), "nhwc": (1, 2)}


@dataclass(frozen=True)
class PooledFeatures:
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


def find_pooled_features(index: GraphIndex) -> list[PooledFeatures] | None:
    """Return the runs in the order of the features; None if the graph pools in a way that is not known."""
    joined = index.producer(FEATURES, "Concat")
    if joined is None:
        return None
    parts = [_part(index, row) for row in joined.input]
    known = [part for part in parts if part is not None]
    return known if len(known) == len(parts) else None


def _part(index: GraphIndex, row: str) -> PooledFeatures | None:
    scaled = index.producer(row, "Mul")
    if scaled is not None:  # equalised channels (`compression/int8/channel_equalisation.py`)
        part = _part(index, scaled.input[0])
        return part and replace(part, factors=scaled.input[1])
    product = index.producer(row, "MatMul")
    if product is not None:
        return _product(index, product)
    flat = index.producer(row, "Flatten")
    pooling = index.producer(flat.input[0] if flat else row, "ReduceMean", "ReduceMax", "MaxPool", "Sqrt")
    if pooling is None:
        return None
    value = pooling.input[0]
    if pooling.op_type == "ReduceMean":
        return _mean(index, value)
    if pooling.op_type == "Sqrt":
        spread = _squared(index, value)
        return _of(index, "deviation", spread) if spread else None
    return _of(index, "max", value, pooling.output[0])


def _product(index: GraphIndex, product: onnx.NodeProto) -> PooledFeatures | None:
    """Return a mean that is a product with equal shares (`compression/graph/integer_pooling.py`)."""
    rows = index.producer(product.input[1], "Reshape")
    return rows and _of(index, "mean", rows.input[0], channels_last=True)


def _squared(index: GraphIndex, variance: str) -> str | None:
    """Return the map of a variance: the mean of squared distances, or of squares less the squared mean."""
    mean = index.producer(variance, "ReduceMean")
    if mean is not None:
        square = index.producer(mean.input[0], "Mul")
        centred = square and index.producer(square.input[0], "Sub")
        return centred and centred.input[0]
    positive = index.producer(variance, "Relu")
    spread = positive and index.producer(positive.input[0], "Sub")
    row = spread and index.producer(spread.input[0], "Reshape")
    second = row and index.producer(row.input[0], "ReduceMean")
    square = second and index.producer(second.input[0], "Mul")
    planes = square and index.producer(square.input[0], "Flatten")
    return planes and planes.input[0]


def _mean(index: GraphIndex, value: str) -> PooledFeatures | None:
    """Return a mean; where the backbone has pooled already, of the map that it pooled."""
    whole = _of(index, "mean", value)
    if whole is None or whole.side > 1:
        return whole
    return next(_before_pooling(index, value, whole.channels), whole)


def _before_pooling(index: GraphIndex, value: str, channels: int) -> Iterator[PooledFeatures]:
    node = index.producer(value, *_RESHAPING, "ReduceMean", "GlobalAveragePool")
    while node is not None and node.op_type in _RESHAPING:
        node = index.producer(node.input[0], *_RESHAPING, "ReduceMean", "GlobalAveragePool")
    if node is None:
        return
    axes = _SPATIAL["nchw"] if node.op_type == "GlobalAveragePool" else index.axes(node)
    for order, spatial in _SPATIAL.items():
        part = _of(index, "mean", node.input[0], channels_last=order == "nhwc")
        if axes == spatial and part is not None and part.channels == channels:
            yield part


def _of(
    index: GraphIndex, pooling: Pooling, value: str, pooled: str = "", channels_last: bool = False
) -> PooledFeatures | None:
    """Return the features of a map if its shape is known and square."""
    match index.shape(value):
        case (_, high, wide, channels) if channels_last and high == wide and high and channels:
            return PooledFeatures(pooling, value, pooled, channels, high, True)
        case (_, channels, high, wide) if not channels_last and high == wide and high and channels:
            return PooledFeatures(pooling, value, pooled, channels, high)
        case _:
            return None
