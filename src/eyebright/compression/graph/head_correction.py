"""The float head behind a compressed backbone: it takes back how much compression moved the features' means.

The head weighs thousands of pooled means, maxima and deviations. Rounding raises every deviation a little,
alike on all images; on textured images that moved probabilities eight times as far as what is left when the
head's bias takes the features' mean shift back. It costs nothing at run time.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.backbone import probe_graph
from eyebright.compression.int8.calibration import run_images
from eyebright.onnx_graph.edit import copy_of, replace_tensor
from eyebright.onnx_graph.index import GraphIndex
from eyebright.sealed.ood_output import MEAN
from eyebright.sealed.subgraphs import FEATURES
from eyebright.types import FloatArray, UInt8Array

_ROW = numpy_helper.from_array(np.array([-1], np.int64), "feature_row")


def mean_features(graph: onnx.ModelProto, size: int, images: UInt8Array, threads: int) -> FloatArray:
    """Return the mean (D,) of a sealed graph's features over resized images (N, S, S, 3)."""
    node = helper.make_node("Reshape", [FEATURES, _ROW.name], ["features_row"], "features_row")
    rows = run_images(probe_graph(graph, size, [node], [_ROW]), images, threads)
    mean: FloatArray = np.mean([row for (row,) in rows], axis=0, dtype=np.float64)
    return mean


def logits_graph(graph: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Return the part of a sealed graph from one resized image (1, 3, S, S) to its logits (K,)."""
    node = helper.make_node("Reshape", [_head(graph).output[0], _ROW.name], ["logits_row"], "logits_row")
    return probe_graph(graph, size, [node], [_ROW])


def correct_head(graph: onnx.ModelProto, shift: FloatArray) -> onnx.ModelProto:
    """Return a sealed graph whose head takes back a mean shift of the features (D,)."""
    whole = copy_of(graph)
    tensors = GraphIndex(whole).tensors
    weights, bias = (tensors[name] for name in _head(whole).input[1:3])
    moved = numpy_helper.to_array(bias) - shift @ numpy_helper.to_array(weights)
    replace_tensor(bias, moved.astype(np.float32))
    if (mean := tensors.get(MEAN)) is not None:  # the OOD score is measured from there
        replace_tensor(mean, (numpy_helper.to_array(mean) + shift).astype(np.float32))
    return whole


def _head(graph: onnx.ModelProto) -> onnx.NodeProto:
    found: onnx.NodeProto = next(n for n in graph.graph.node if FEATURES in n.input and n.op_type == "Gemm")
    return found
