"""Moments of eight-bit maps, pooled in fewer passes and in integers.

Behind a quantised map the float moments cost a fifth of the time: each turned the map back to floats
for itself, and twice to channels first. Written as below, ONNX Runtime takes means and maxima from the bytes.
What the graph computes stays the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.onnx_graph.edit import copy_of, extracted, rename_inputs
from eyebright.onnx_graph.index import GraphIndex
from eyebright.sealed.graph import INPUT
from eyebright.sealed.subgraphs import FEATURES

#: The products that take means are no layers of the backbone; their nodes' names end so.
MEANS = "_mean_row_matmul"


def pool_in_integers(graph: onnx.ModelProto, ends: Collection[str]) -> onnx.ModelProto:
    """Return a sealed graph whose quantised maps are pooled so.

    Args:
        graph: quantised, which is left as it is.
        ends: the values whose maps `pool` of `backbones/graph.py` pools.
    """
    whole = copy_of(graph)
    index, builder = GraphIndex(whole), GraphBuilder()
    rows = {old: new for end in ends for old, new in _rows(index, builder, end)}
    if not rows:
        return whole
    whole.graph.initializer.extend(builder.initializers)
    joined = next(node for node in whole.graph.node if FEATURES in node.output)
    # Between the maps and the features, whatever order the graph came in.
    readers = [node for node in whole.graph.node if rows.keys() & set(node.input) and node != joined]
    others = [node for node in whole.graph.node if node not in readers]
    place = others.index(joined)
    ordered = [*others[:place], *builder.nodes, *readers, *others[place:]]
    rename_inputs((*readers, joined), rows)
    del whole.graph.node[:]
    whole.graph.node.extend(ordered)
    pruned = extracted(whole, [INPUT], [output.name for output in graph.graph.output])
    onnx.checker.check_model(pruned)
    return pruned


def _rows(index: GraphIndex, builder: GraphBuilder, end: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of a map's features that exist, each with the row that takes its place."""
    mean = index.producer(f"{end}_mean", "ReduceMean")
    shape = index.shape(mean.input[0]) if mean else ()
    if mean is None or not index.is_quantised(mean.input[0]) or len(shape) != 4 or not all(shape[1:]):
        return
    value = mean.input[0]
    _, channels, high, wide = shape
    means = _mean(builder, end, value, (high * wide, channels))
    yield f"{end}_mean_flat", means
    if f"{end}_deviation" in index:
        largest = builder.node("MaxPool", [value], f"{end}_peak", kernel_shape=[high, wide])
        yield f"{end}_max_flat", builder.node("Flatten", [largest], f"{end}_peak_row")
        yield f"{end}_deviation_flat", _deviation(builder, end, value, means, channels)


def _mean(builder: GraphBuilder, end: str, value: str, shape: tuple[int, int]) -> str:
    """Compute means (B, C) as a product with ones: eight bits times eight bits, summed in 32 bits."""
    places, _ = shape
    # Ones that are computed when the session starts take no space in the file.
    count = builder.constant(f"{end}_places", np.array([places], np.int64))
    one = helper.make_tensor("one", TensorProto.UINT8, [1], [1])
    ones = builder.node("ConstantOfShape", [count], f"{end}_ones", value=one)
    share = builder.constant(f"{end}_share", np.array(1 / places, np.float32))
    zero = builder.constant(f"{end}_none", np.array(0, np.uint8))
    shares = builder.node("DequantizeLinear", [ones, share, zero], f"{end}_shares")
    last = builder.node("Transpose", [value], f"{end}_last", perm=[0, 2, 3, 1])
    rows = builder.constant(f"{end}_rows_shape", np.array([0, *shape], np.int64))
    return builder.node(
        "MatMul", [shares, builder.node("Reshape", [last, rows], f"{end}_rows")], f"{end}_mean_row"
    )


def _deviation(builder: GraphBuilder, end: str, value: str, means: str, channels: int) -> str:
    """Compute standard deviations (B, C) from the mean of images, which saves the passes that centre the map.

    A float graph must not do that: the difference of two large means loses digits. Of eight bits it loses
    none that they have.
    """
    # One reader of the map, or ONNX Runtime would dequantise it twice.
    plane = builder.node("Flatten", [value], f"{end}_planes", axis=2)
    square = builder.node("Mul", [plane, plane], f"{end}_squared")
    last = builder.constant(f"{end}_last_axis", np.array([1], np.int64))
    second = builder.node("ReduceMean", [square, last], f"{end}_second", keepdims=0)
    width = builder.constant(f"{end}_width", np.array([-1, channels], np.int64))
    row = builder.node("Reshape", [second, width], f"{end}_second_row")
    away = builder.node("Mul", [means, means], f"{end}_mean_squared")
    spread = builder.node("Sub", [row, away], f"{end}_spread")
    positive = builder.node("Relu", [spread], f"{end}_spread_positive")
    return builder.node("Sqrt", [positive], f"{end}_deviation_row")
