"""Where a sealed graph's features come from: each run of them with the map that it was pooled from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from eyebright.sealed.parts import FEATURES
from eyebright.sealed.wiring import Wiring

Pooling = Literal["mean", "max", "deviation"]
# What only gives a pooled vector another shape.
_RESHAPING = ("Unsqueeze", "Squeeze", "Reshape", "Flatten", "Identity", "Dropout")
_SPATIAL = {"nchw": (2, 3), "nhwc": (1, 2)}


@dataclass(frozen=True)
class Part:
    """A run of features, one a channel.

    Attributes:
        pooling: how the map became them.
        map: the value that was pooled, (B, C, h, h); for "deviation" the squared distances from the mean.
        pooled: the maximum or the deviation, (B, C, 1, 1); for "mean" it is not needed.
        channels: C.
        side: h; 1 for a vector that has no places.
        channels_last: whether the map is (B, h, h, C) instead.
    """

    pooling: Pooling
    map: str
    pooled: str
    channels: int
    side: int
    channels_last: bool = False


def pooled_parts(wiring: Wiring) -> list[Part] | None:
    """The parts in the order of the features; None where the graph pools in a way that is not known."""
    joined = wiring.maker(FEATURES, "Concat")
    if joined is None:
        return None
    parts = [_part(wiring, row) for row in joined.input]
    known = [part for part in parts if part is not None]
    return known if len(known) == len(parts) else None


def _part(wiring: Wiring, row: str) -> Part | None:
    flat = wiring.maker(row, "Flatten")
    pooling = flat and wiring.maker(flat.input[0], "ReduceMean", "ReduceMax", "Sqrt")
    if not pooling:
        return None
    if pooling.op_type == "ReduceMean":
        return _mean(wiring, pooling.input[0])
    if pooling.op_type == "ReduceMax":
        return _of(wiring, "max", pooling.input[0], pooling.output[0])
    variance = wiring.maker(pooling.input[0], "ReduceMean")
    return variance and _of(wiring, "deviation", variance.input[0], pooling.output[0])


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
