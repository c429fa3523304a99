"""The float head behind a compressed network: what compression moves the features' means by is taken back.

The head weighs thousands of pooled means, maxima and deviations. Rounding raises every deviation a little,
alike on all images; on textured images that moved probabilities eight times as far as what is left when the
head's bias takes the features' mean shift back. It costs nothing when the model runs.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.int8.calibration import answers
from eyebright.compression.network import looking
from eyebright.sealed.ood_output import MEAN
from eyebright.sealed.subgraphs import FEATURES
from eyebright.types import FloatArray, UInt8Array

_ROW = numpy_helper.from_array(np.array([-1], np.int64), "feature_row")


def mean_features(graph: onnx.ModelProto, size: int, squares: UInt8Array, threads: int) -> FloatArray:
    """The mean (D,) of a sealed graph's features over squares (N, S, S, 3)."""
    node = helper.make_node("Reshape", [FEATURES, _ROW.name], ["features_row"], "features_row")
    rows = answers(looking(graph, size, [node], [_ROW]), squares, threads)
    mean: FloatArray = np.mean([row for (row,) in rows], axis=0, dtype=np.float64)
    return mean


def logits_graph(graph: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """A sealed graph on squares (1, 3, S, S) that ends with its logits (K,)."""
    node = helper.make_node("Reshape", [_head(graph).output[0], _ROW.name], ["logits_row"], "logits_row")
    return looking(graph, size, [node], [_ROW])


def centred(graph: onnx.ModelProto, by: FloatArray) -> onnx.ModelProto:
    """A sealed graph whose head takes a mean shift of the features (D,) back."""
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    weights, bias = (_constant(whole, name) for name in _head(whole).input[1:3])
    moved = numpy_helper.to_array(bias) - by @ numpy_helper.to_array(weights)
    bias.CopyFrom(numpy_helper.from_array(moved.astype(np.float32), bias.name))
    if MEAN in {tensor.name for tensor in whole.graph.initializer}:  # strangeness is counted from there
        mean = _constant(whole, MEAN)
        away = numpy_helper.to_array(mean) + by
        mean.CopyFrom(numpy_helper.from_array(away.astype(np.float32), MEAN))
    return whole


def _head(graph: onnx.ModelProto) -> onnx.NodeProto:
    found: onnx.NodeProto = next(n for n in graph.graph.node if FEATURES in n.input and n.op_type == "Gemm")
    return found


def _constant(graph: onnx.ModelProto, name: str) -> onnx.TensorProto:
    found: onnx.TensorProto = next(t for t in graph.graph.initializer if t.name == name)
    return found
