"""Bias correction: what rounding moves a channel's mean by is taken back in the convolution's bias.

Empirical, layer after layer (Nagel et al., 2019): each layer is corrected for what those before it, which are
corrected already, leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.int8.calibration import answers
from eyebright.compression.network import Network, looking
from eyebright.types import FloatArray, UInt8Array

_INT32 = np.iinfo(np.int32)


def corrected(
    network: Network,
    quantised: onnx.ModelProto,
    layers: Sequence[str],
    squares: UInt8Array,
    threads: int,
    on_layer: Callable[[], None],
) -> onnx.ModelProto:
    """A quantised graph with corrected biases.

    Args:
        network: in float32.
        quantised: the same with static integer layers; it is left as it is.
        layers: names of those to correct, in the network's order.
        squares: (N, S, S, 3) of the calibration.
        threads: of a session.
        on_layer: is called after each.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(quantised)
    makers = {node.name: node for node in network.members}
    layers = [name for name in layers if makers[name].op_type == "Conv"]
    wanted = _means(
        network.graph, [makers[name].output[0] for name in layers], network.size, squares, threads
    )
    nodes = {node.name: node for node in whole.graph.node}
    for name, mean in zip(layers, wanted, strict=True):
        node = nodes[name]
        (found,) = _means(whole, [node.output[0]], network.size, squares, threads)
        if len(node.input) == 3:
            _move(whole, node.input[2], mean - found)
        on_layer()
    return whole


def _means(
    graph: onnx.ModelProto, values: Sequence[str], size: int, squares: UInt8Array, threads: int
) -> list[FloatArray]:
    """The mean of each channel of some maps (1, C, h, w), over the squares."""
    axes = numpy_helper.from_array(np.array([0, 2, 3], np.int64), "mean_axes")
    nodes = [
        helper.make_node("ReduceMean", [value, axes.name], [f"{value}_means"], f"{value}_means", keepdims=0)
        for value in values
    ]
    part = looking(graph, size, nodes, [axes])
    rows = list(answers(part, squares, threads))
    return [np.mean(column, axis=0) for column in zip(*rows, strict=True)]


def _move(graph: onnx.ModelProto, bias: str, by: FloatArray) -> None:
    """Adds to a bias that is stored in 32-bit integers with a scale a channel."""
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    (stored,) = (node for node in graph.graph.node if bias in node.output)
    scale = numpy_helper.to_array(constants[stored.input[1]])
    before = numpy_helper.to_array(constants[stored.input[0]]).astype(np.float64)
    after = np.clip(np.round(before + by / scale), _INT32.min, _INT32.max).astype(np.int32)
    constants[stored.input[0]].CopyFrom(numpy_helper.from_array(after, stored.input[0]))
