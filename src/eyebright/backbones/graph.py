"""ONNX graphs around a backbone: normalisation before it, pooled features of several layers after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.backbones.feature_layers import FeatureLayer, width
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.onnx_graph.edit import extracted

if TYPE_CHECKING:
    from eyebright.backbones.card import Preprocessing

OPSET = 18


def normalise(
    builder: GraphBuilder, pixels: str, preprocessing: Preprocessing, output: str = "pixels"
) -> str:
    """Return the nodes that turn float32 pixels (B, 3, S, S) from 0 to 255 into the backbone's input."""
    mean = np.array(preprocessing.mean, np.float32).reshape(1, 3, 1, 1)
    std = np.array(preprocessing.std, np.float32).reshape(1, 3, 1, 1)
    scaled = builder.node("Mul", [pixels, builder.constant("scale", 1 / (255 * std))], f"{output}_scaled")
    return builder.node("Add", [scaled, builder.constant("shift", -mean / std)], output)


def pool(builder: GraphBuilder, taps: Sequence[FeatureLayer], output: str = "features") -> str:
    """Return the taps' pooled statistics, in the order of ``taps``, as one row (B, D) an image."""
    space = builder.constant("spatial_axes", np.array([2, 3], np.int64))
    parts: list[str] = []
    for tap in taps:
        name = tap.layer.name
        mean = builder.node("ReduceMean", [name, space], f"{name}_mean", keepdims=1)
        parts.append(mean)
        if tap.kind == "moments":
            parts.append(builder.node("ReduceMax", [name, space], f"{name}_max", keepdims=1))
            # Centred before it is squared: the difference of two large means would lose its digits.
            centred = builder.node("Sub", [name, mean], f"{name}_centred")
            square = builder.node("Mul", [centred, centred], f"{name}_square")
            variance = builder.node("ReduceMean", [square, space], f"{name}_variance", keepdims=1)
            parts.append(builder.node("Sqrt", [variance], f"{name}_deviation"))
    rows = [builder.node("Flatten", [part], f"{part}_flat") for part in parts]
    return builder.node("Concat", rows, output, axis=1)


def features_graph(
    backbone: onnx.ModelProto, preprocessing: Preprocessing, taps: Sequence[FeatureLayer]
) -> onnx.ModelProto:
    """Return the engines' graph: `images` uint8 (B, S, S, 3) in, `features` float32 (B, D) out."""
    before, after = GraphBuilder(), GraphBuilder()
    channels_first = before.node("Transpose", ["images"], "images_nchw", perm=[0, 3, 1, 2])
    normalise(
        before, before.node("Cast", [channels_first], "images_float", to=TensorProto.FLOAT), preprocessing
    )
    pool(after, taps)
    side = preprocessing.size
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", side, side, 3])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", width(taps)])
    return assemble(backbone, before, after, images, [features])


def pixels_graph(network: onnx.ModelProto, size: int, output: str, width: int) -> onnx.ModelProto:
    """Return the engines' graph of a network whose `pixels` (B, 3, S, S) are 0 to 255, not normalised.

    Returns:
        `images` uint8 (B, S, S, 3) in, ``output`` float32 (B, width) out.
    """
    before = GraphBuilder()
    channels_first = before.node("Transpose", ["images"], "images_nchw", perm=[0, 3, 1, 2])
    before.node("Cast", [channels_first], "pixels", to=TensorProto.FLOAT)
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", size, size, 3])
    rows = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["B", width])
    return assemble(network, before, GraphBuilder(), images, [rows])


def assemble(
    backbone: onnx.ModelProto,
    before: GraphBuilder,
    after: GraphBuilder,
    graph_input: onnx.ValueInfoProto,
    graph_outputs: Sequence[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    """Join the backbone with what comes before and after it, and drop what no output needs."""
    graph = helper.make_graph(
        [*before.nodes, *backbone.graph.node, *after.nodes],
        "eyebright",
        [graph_input],
        list(graph_outputs),
        [*before.initializers, *backbone.graph.initializer, *after.initializers],
    )
    whole = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="eyebright"
    )
    pruned = extracted(whole, [graph_input.name], [output.name for output in graph_outputs])
    onnx.checker.check_model(pruned)
    return pruned
