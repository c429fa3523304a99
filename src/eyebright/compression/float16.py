"""Sixteen-bit floats for the network, behind inputs and outputs of thirty-two bits."""

from __future__ import annotations

from eyebright.compression.int8.candidate import Rung
from eyebright.compression.int8.quantise import sorted_graph
from eyebright.compression.network import Network, inner, with_inner
from eyebright.runtime.telemetry import load_onnxruntime


def halved(network: Network) -> Rung:
    """The sealed graph with the network's weights and arithmetic in float16.

    The resize, the normalisation, the pooled moments, the head and the softmax stay float32: they cost
    little, squares of activations overflow, and probabilities want more than three digits.
    """
    load_onnxruntime()
    from onnxruntime.transformers.float16 import convert_float_to_float16

    part = inner(network.graph, network.ends, network.size)
    halves = sorted_graph(convert_float_to_float16(part, keep_io_types=True))
    graph = with_inner(network.graph, network.ends, halves)
    return Rung("float16 backbone, float32 preprocessing and head", graph)
