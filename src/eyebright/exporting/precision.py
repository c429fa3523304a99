"""The precision of a graph's arithmetic, read from the graph itself."""

from __future__ import annotations

import onnx

from eyebright.exporting.base import Precision, UnsupportedError
from eyebright.sealed.model import SealedModel

_INTEGERS = {
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "ConvInteger",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
}


def precision_of(graph: onnx.ModelProto) -> Precision:
    """Return the precision of the backbone's arithmetic, whatever its inputs and outputs are."""
    if any(node.op_type in _INTEGERS for node in graph.graph.node):
        return "int8"
    if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.graph.initializer):
        return "fp16"
    return "fp32"


def check_compressible(model: SealedModel, graph: onnx.ModelProto) -> None:
    """Make sure that a model can be compressed, and was not before: what is left is not what was trained.

    Raises:
        UnsupportedError: it was, or it measures distances, which rounding would move beyond its limit.
    """
    if model.has_anomaly_map:
        raise UnsupportedError(
            "Compression is for classifiers. {path} finds anomalies by small distances between features, "
            "which lower precision would move. Export it without --int8 and --fp16.",
            path=model.path,
        )
    if (precision := precision_of(graph)) != "fp32":
        raise UnsupportedError(
            "Only a float32 model can be compressed. {path} is already {precision}. Use the model "
            "that it was made from.",
            path=model.path,
            precision=precision,
        )
