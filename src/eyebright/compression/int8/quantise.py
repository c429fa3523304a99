"""Integer arithmetic written into a backbone: static with QDQ pairs, or dynamic for matrix products."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.backbone import SealedBackbone, extract_backbone, replace_backbone
from eyebright.compression.int8.calibration import Range
from eyebright.onnx_graph.edit import copy_of, rename_inputs, sorted_graph
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.subgraphs import RESIZED

#: Layers whose arithmetic is worth integers.
CONVOLUTIONS = ("Conv",)
PRODUCTS = ("MatMul", "Gemm")
# Operators that may stand between two of them without leaving the integers.
_BETWEEN = (
    *("Add", "Mul", "Clip", "Relu", "LeakyRelu", "Sigmoid", "Concat", "Split"),
    *("MaxPool", "AveragePool", "GlobalAveragePool"),
    *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Pad", "Resize"),
)


def quantise_static(
    backbone: SealedBackbone, ranges: Mapping[str, Range], layers: Collection[str], kinds: Collection[str]
) -> onnx.ModelProto:
    """Return the sealed graph with integer layers: eight-bit activations, and weights scaled per channel.

    Args:
        backbone: in float32.
        ranges: of all activations.
        layers: names of the layers to quantise; nodes between two of them are quantised too.
        kinds: of these layers.
    """
    load_onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType, TensorData, TensorsData

    data = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in ranges.items()
    }
    chosen = [*layers, *_followers(backbone, layers)]
    with _quiet():
        quantizer = QDQQuantizer(
            model=copy_of(backbone.graph),
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
        return sorted_graph(_guarded(quantizer.quantize_model(), backbone.size))


def quantise_dynamic(backbone: SealedBackbone, layers: Collection[str]) -> onnx.ModelProto:
    """Return the sealed graph with integer matrix products, whose ranges are measured at run time."""
    load_onnxruntime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The backbone alone: the quantiser would take the head's Gemm apart too.
    part = extract_backbone(backbone.graph, backbone.ends, backbone.size)
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
    return replace_backbone(backbone.graph, backbone.ends, products)


def _followers(backbone: SealedBackbone, layers: Collection[str]) -> list[str]:
    """Return the nodes all of whose activations come from integer layers, or from other such nodes."""
    integers = set(layers)
    found: list[str] = []
    made: set[str] = set()
    for node in backbone.members:
        read = [name for name in node.input if name and name not in backbone.constants]
        if node.name not in integers and node.op_type in _BETWEEN and read and made.issuperset(read):
            found.append(node.name)
            integers.add(node.name)
        if node.name in integers:
            made.update(node.output)
    return found


def _guarded(graph: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Put a reshape that changes nothing between the resize and the backbone, in place.

    Integer convolutions want their channels last, and ONNX Runtime's optimiser (1.32) pulls the transposes
    for that up through a Resize with `axes`, whose sizes it then permutes as if they were four; the session
    fails to load. It does not pull through a reshape, which costs nothing.
    """
    guarded = f"{RESIZED}_guarded"
    rename_inputs(graph.graph.node, {RESIZED: guarded})
    shape = numpy_helper.from_array(np.array([-1, 3, size, size], np.int64), f"{guarded}_shape")
    graph.graph.initializer.append(shape)
    graph.graph.node.append(helper.make_node("Reshape", [RESIZED, shape.name], [guarded], name=guarded))
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence ONNX Runtime's quantiser, which logs advice through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
