"""Writes integer arithmetic into a network: static with QDQ pairs, or dynamic for matrix products."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.int8.calibration import Range
from eyebright.compression.network import Network, inner, with_inner
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.subgraphs import SQUARES

#: Layers whose arithmetic is worth integers.
CONVOLUTIONS = ("Conv",)
PRODUCTS = ("MatMul", "Gemm")
# What may stand between two of them without leaving the integers.
_BETWEEN = (
    *("Add", "Mul", "Clip", "Relu", "LeakyRelu", "Sigmoid", "Concat", "Split"),
    *("MaxPool", "AveragePool", "GlobalAveragePool"),
    *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Pad", "Resize"),
)


def static(
    network: Network, ranges: Mapping[str, Range], layers: Collection[str], kinds: Collection[str]
) -> onnx.ModelProto:
    """The sealed graph with integer layers: activations in eight bits, weights in eight bits a channel.

    Args:
        network: in float32.
        ranges: of all activations.
        layers: names of the layers to be integers; what stands between two of them follows.
        kinds: of these layers.
    """
    load_onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType, TensorData, TensorsData

    data = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in ranges.items()
    }
    chosen = [*layers, *_followers(network, layers)]
    with _quiet():
        quantizer = QDQQuantizer(
            model=_copy(network.graph),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, data),
            nodes_to_quantize=chosen,
            nodes_to_exclude=[],
            op_types_to_quantize=[*kinds, *_BETWEEN],
            extra_options={},
        )
        return sorted_graph(_guarded(quantizer.quantize_model(), network.size))


def dynamic(network: Network, layers: Collection[str]) -> onnx.ModelProto:
    """The sealed graph with integer matrix products, whose activations' ranges are found while it runs."""
    load_onnxruntime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The network alone: the quantiser would take the head's Gemm apart too.
    part = inner(network.graph, network.ends, network.size)
    with tempfile.TemporaryDirectory(prefix="eyebright.") as folder, _quiet():
        path = Path(folder) / "dynamic.onnx"
        quantize_dynamic(
            part,
            path,
            op_types_to_quantize=list(PRODUCTS),
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=list(layers),
        )
        products = sorted_graph(onnx.load(path))
    return with_inner(network.graph, network.ends, products)


def _followers(network: Network, layers: Collection[str]) -> list[str]:
    """Names of the nodes all of whose activations come from integer layers, or from other such nodes."""
    integers = set(layers)
    found: list[str] = []
    made: set[str] = set()
    for node in network.members:
        read = [name for name in node.input if name and name not in network.constants]
        if node.name not in integers and node.op_type in _BETWEEN and read and made.issuperset(read):
            found.append(node.name)
            integers.add(node.name)
        if node.name in integers:
            made.update(node.output)
    return found


def _guarded(graph: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Puts a reshape that changes nothing between the resize and the network, in place.

    Integer convolutions want their channels last, and ONNX Runtime's optimiser (1.32) pulls the transposes
    for that up through a Resize with `axes`, whose sizes it then permutes as if they were four; the session
    fails to load. It does not pull through a reshape, which costs nothing.
    """
    guarded = f"{SQUARES}_guarded"
    for node in graph.graph.node:
        node.input[:] = [guarded if name == SQUARES else name for name in node.input]
    shape = numpy_helper.from_array(np.array([-1, 3, size, size], np.int64), f"{guarded}_shape")
    graph.graph.initializer.append(shape)
    graph.graph.node.append(helper.make_node("Reshape", [SQUARES, shape.name], [guarded], name=guarded))
    return graph


def _copy(graph: onnx.ModelProto) -> onnx.ModelProto:
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    return whole


def sorted_graph(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Nodes in the order in which they run, without shapes of an earlier graph and a tool's own marks."""
    from onnxruntime.quantization.onnx_model import ONNXModel

    ordered = ONNXModel(graph)
    ordered.topological_sort()
    whole: onnx.ModelProto = ordered.model
    del whole.graph.value_info[:]
    del whole.metadata_props[:]
    whole.producer_name, whole.producer_version = "eyebright", ""
    onnx.checker.check_model(whole)
    return whole


@contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime's quantiser gives advice through the root logger, to whoever it is that runs it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
