"""Bias correction: the convolution's bias takes back how much rounding moved a channel's mean.

Empirical, layer after layer (Nagel et al., 2019): each layer is corrected for what those before it, which are
corrected already, leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.backbone import SealedBackbone, probe_graph
from eyebright.compression.int8.calibration import run_images
from eyebright.onnx_graph.edit import copy_of, replace_tensor
from eyebright.onnx_graph.index import GraphIndex
from eyebright.types import FloatArray, UInt8Array

_INT32 = np.iinfo(np.int32)


def correct_biases(
    backbone: SealedBackbone,
    quantised: onnx.ModelProto,
    layers: Sequence[str],
    images: UInt8Array,
    threads: int,
    on_layer: Callable[[], None],
) -> onnx.ModelProto:
    """Return a quantised graph with corrected biases.

    Args:
        backbone: in float32.
        quantised: the same with static integer layers, which is left as it is.
        layers: names of those to correct, in the backbone's order.
        images: calibration images (N, S, S, 3), resized.
        threads: of a session.
        on_layer: is called after each layer.
    """
    whole = copy_of(quantised)
    members = {node.name: node for node in backbone.members}
    layers = [name for name in layers if members[name].op_type == "Conv"]
    outputs = [members[name].output[0] for name in layers]
    wanted = _means(backbone.graph, outputs, backbone.size, images, threads)
    nodes = {node.name: node for node in whole.graph.node}
    for name, mean in zip(layers, wanted, strict=True):
        node = nodes[name]
        (found,) = _means(whole, [node.output[0]], backbone.size, images, threads)
        if len(node.input) == 3:
            _move(whole, node.input[2], mean - found)
        on_layer()
    return whole


def _means(
    graph: onnx.ModelProto, values: Sequence[str], size: int, images: UInt8Array, threads: int
) -> list[FloatArray]:
    """Return the mean of each channel of some maps (1, C, h, w), over the images."""
    axes = numpy_helper.from_array(np.array([0, 2, 3], np.int64), "mean_axes")
    nodes = [
        helper.make_node("ReduceMean", [value, axes.name], [f"{value}_means"], f"{value}_means", keepdims=0)
        for value in values
    ]
    part = probe_graph(graph, size, nodes, [axes])
    rows = list(run_images(part, images, threads))
    return [np.mean(column, axis=0) for column in zip(*rows, strict=True)]


def _move(graph: onnx.ModelProto, bias: str, by: FloatArray) -> None:
    """Add to a bias that is stored in 32-bit integers with a scale per channel, in place."""
    index = GraphIndex(graph)
    stored, scale = (index.tensors[name] for name in index.producers[bias].input[:2])
    before = numpy_helper.to_array(stored).astype(np.float64)
    after = np.clip(np.round(before + by / numpy_helper.to_array(scale)), _INT32.min, _INT32.max)
    replace_tensor(stored, after.astype(np.int32))
