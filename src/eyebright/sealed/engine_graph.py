"""The part of a sealed graph that an engine runs: from an image that is resized already to its features."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.sealed.graph import INPUT
from eyebright.sealed.subgraphs import FEATURES, RESIZED, subgraph_from


def engine_graph(sealed: onnx.ModelProto, size: int) -> onnx.ModelProto | None:
    """Return the graph `images` uint8 (B, S, S, 3) → `features` float32 (B, D); None if it has no such part.

    The resize is left to Pillow, whose arithmetic the sealed graph repeats at a higher price.

    Args:
        sealed: the sealed graph, which is left as it is.
        size: S.
    """
    if not {RESIZED, FEATURES} <= {name for node in sealed.graph.node for name in node.output}:
        return None
    part = subgraph_from(sealed, RESIZED, size, [FEATURES])
    before = GraphBuilder()
    channels_first = before.node("Transpose", [INPUT], "images_nchw", perm=[0, 3, 1, 2])
    before.node("Cast", [channels_first], RESIZED, to=TensorProto.FLOAT)
    nodes = [*before.nodes, *part.graph.node]
    del part.graph.node[:], part.graph.input[:]
    part.graph.node.extend(nodes)
    part.graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["B", size, size, 3]))
    onnx.checker.check_model(part)
    return part
