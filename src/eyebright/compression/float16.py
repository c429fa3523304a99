"""Sixteen-bit floats for the network, behind inputs and outputs of thirty-two bits."""

from __future__ import annotations

import onnx

from eyebright.compression.network import Network
from eyebright.compression.quantise import sorted_graph
from eyebright.compression.rung import Rung
from eyebright.runtime.engines import load_onnxruntime


def halved(network: Network) -> Rung:
    """The sealed graph with the network's weights and arithmetic in float16.

    The resize, the normalisation, the pooled moments, the head and the softmax stay float32: they cost
    little, squares of activations overflow, and probabilities want more than three digits.
    """
    load_onnxruntime()
    from onnxruntime.transformers.float16 import convert_float_to_float16

    whole = onnx.ModelProto()
    whole.CopyFrom(network.graph)
    inside = set(network.nodes)
    outside = [node.name for node in whole.graph.node if node.name not in inside]
    halves = convert_float_to_float16(whole, keep_io_types=True, node_block_list=outside)
    return Rung("float16 network between float32 ends", sorted_graph(halves))
