"""A heat map inside the sealed graph: which places of the image count for a class.

The head is linear and its features are means, maxima and standard deviations over places. So each feature is
a sum over places, and so is the class's logit. Nothing is estimated: the map's sum is the logit without its
bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.onnx_graph.index import GraphIndex
from eyebright.sealed.answer_output import PREDICTED
from eyebright.sealed.graph import OUTPUT, SIDE, WEIGHTS
from eyebright.sealed.pooled_features import PooledFeatures, find_pooled_features
from eyebright.types import FloatArray

HEAT = "heat"
#: The input int64 (B,) of a graph whose classes are given.
HEAT_CLASS = "heat_class"
#: Pixels of the resized square along each side of one cell of the map.
CELL_PX = 8
_TINY = 1e-12  # a flat map's deviation is 0, and so is all that is divided by it


def with_heat(sealed: onnx.ModelProto, class_input: bool = False) -> onnx.ModelProto | None:
    """Add the output `heat` float32 (B, g, g) to a sealed graph, with g = S // 8 cells a side.

    Each cell has its share of the logit of the predicted class: above 0 where it counts for the class, below
    where against. Features without places, such as a class token, are spread evenly. The cells' sum is the
    logit less its bias.

    Args:
        sealed: a sealed graph whose head is float32, quantised or not; it is left as it is.
        class_input: whether the classes come from a further input, `heat_class` int64 (B,), instead.

    Returns:
        A new graph, or None where no feature has places or the head is not float32.
    """
    index = GraphIndex(sealed)
    parts = find_pooled_features(index)
    side, weights = index.constant(SIDE), index.constant(WEIGHTS)
    if side is None or WEIGHTS not in index or not parts or all(part.side == 1 for part in parts):
        return None
    if weights is not None and weights.dtype != np.float32:
        return None
    builder = GraphBuilder()
    cells = max(1, int(side[0]) // CELL_PX)
    named = HEAT_CLASS if class_input else _predicted(builder, index)
    _heat(builder, parts, cells, named)
    heat = helper.make_tensor_value_info(HEAT, TensorProto.FLOAT, ["B", cells, cells])
    classes = helper.make_tensor_value_info(HEAT_CLASS, TensorProto.INT64, ["B"])
    return builder.appended_to(sealed, [heat], [classes] if class_input else [])


def _predicted(builder: GraphBuilder, index: GraphIndex) -> str:
    """Return the value (B,) with the predicted classes; the likeliest where several labels may hold."""
    found = index.producers.get(PREDICTED)
    if found is not None and found.op_type == "ArgMax":
        return PREDICTED
    return builder.node("ArgMax", [OUTPUT], "heat_named", axis=1, keepdims=0)


def _heat(builder: GraphBuilder, parts: Sequence[PooledFeatures], cells: int, named: str) -> None:
    """Add the maps of all features for the classes ``named`` (B,) up on a grid of ``cells`` a side."""
    channel = builder.constant("heat_channel_axis", np.array([1], np.int64))
    maps = []
    for number, (part, share) in enumerate(zip(parts, _shares(builder, parts, named), strict=True)):
        name = f"heat_{number}"
        planes, weight = _planes(builder, part, share, name)
        weighted = builder.node("Mul", [planes, weight], f"{name}_weighted")
        plane = builder.node("ReduceSum", [weighted, channel], f"{name}_plane", keepdims=0)
        spreading = spread(part.side, cells)
        down = builder.constant(f"{name}_down", np.ascontiguousarray(spreading.T))
        across = builder.constant(f"{name}_across", spreading)
        rows = builder.node("MatMul", [down, plane], f"{name}_rows")
        maps.append(builder.node("MatMul", [rows, across], f"{name}_cells"))
    builder.node("Sum", maps, HEAT)


def _shares(builder: GraphBuilder, parts: Sequence[PooledFeatures], named: str) -> list[str]:
    """Return for each run of features the weights (B, C, 1, 1) of the given class."""
    columns = builder.node("Gather", [WEIGHTS, named], "heat_columns", axis=1)
    rows = builder.node("Transpose", [columns], "heat_rows", perm=[1, 0])
    space = builder.constant("heat_spatial_axes", np.array([2, 3], np.int64))
    shares = builder.node("Unsqueeze", [rows, space], "heat_shares")
    widths = builder.constant("heat_widths", np.array([part.channels for part in parts], np.int64))
    names = [f"heat_{number}_share" for number in range(len(parts))]
    builder.nodes.append(helper.make_node("Split", [shares, widths], names, name="heat_split", axis=1))
    return [_scaled(builder, name, part.factors, space) for name, part in zip(names, parts, strict=True)]


def _scaled(builder: GraphBuilder, share: str, factors: str, space: str) -> str:
    """Scale the weights where the features are the pooled values times ``factors`` (1, C)."""
    if not factors:
        return share
    wide = builder.node("Unsqueeze", [factors, space], f"{share}_factors")
    return builder.node("Mul", [share, wide], f"{share}_scaled")


def _planes(builder: GraphBuilder, part: PooledFeatures, share: str, name: str) -> tuple[str, str]:
    """Return the map (B, C, h, h) whose weighted sum over places is the features, and its weights."""
    if part.pooling == "max":
        # Where several places hold the maximum, they share it.
        hit = builder.node("Equal", [part.map, part.pooled], f"{name}_hit")
        planes = builder.node("Cast", [hit], f"{name}_hits", to=TensorProto.FLOAT)
        count = builder.node("ReduceSum", [planes, "heat_spatial_axes"], f"{name}_count", keepdims=1)
        each = builder.node("Div", [part.pooled, count], f"{name}_each")
        return planes, builder.node("Mul", [share, each], f"{name}_weight")
    places = builder.constant(f"{name}_places", np.array(part.side**2, np.float32))
    if part.pooling == "mean":
        planes = part.map
        if part.channels_last:
            planes = builder.node("Transpose", [planes], f"{name}_channels_first", perm=[0, 3, 1, 2])
        return planes, builder.node("Div", [share, places], f"{name}_weight")
    mean = builder.node("ReduceMean", [part.map, "heat_spatial_axes"], f"{name}_mean", keepdims=1)
    centred = builder.node("Sub", [part.map, mean], f"{name}_centred")
    squares = builder.node("Mul", [centred, centred], f"{name}_squares")
    variance = builder.node("ReduceMean", [squares, "heat_spatial_axes"], f"{name}_variance", keepdims=1)
    deviation = builder.node("Sqrt", [variance], f"{name}_deviation")
    tiny = builder.constant(f"{name}_tiny", np.array(_TINY, np.float32))
    positive = builder.node("Max", [deviation, tiny], f"{name}_positive")
    scale = builder.node("Mul", [positive, places], f"{name}_scale")
    return squares, builder.node("Div", [share, scale], f"{name}_weight")


def spread(side: int, cells: int) -> FloatArray:
    """Return how the places of one axis are spread over the cells of another: linear, antialiased, lossless.

    Args:
        side: number of places.
        cells: number of cells.

    Returns:
        (side, cells); each row's sum is 1.
    """
    places = (np.arange(side) + 0.5) / side
    centres = np.clip((np.arange(cells) + 0.5) / cells, places[0], places[-1])
    reach = max(1 / side, 1 / cells)
    near = np.maximum(0, 1 - np.abs(places[:, None] - centres) / reach)
    shares: FloatArray = (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares
