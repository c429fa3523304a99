"""Edits of ONNX graphs: copies, subgraphs, renamed values, replaced constants, sorted nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.utils import Extractor

from eyebright.runtime.telemetry import load_onnxruntime


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a graph that can be changed."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def extracted(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """Return the subgraph between values, without the shapes of values inside it.

    Args:
        model: the whole graph; the types of ``inputs`` and ``outputs`` are listed in it. It is left as it is.
        inputs: names of the values that become inputs.
        outputs: names of the values that become outputs.
    """
    part: onnx.ModelProto = Extractor(model).extract_model(list(inputs), list(outputs))
    del part.graph.value_info[:]
    return part


def rename_inputs(nodes: Iterable[onnx.NodeProto], names: Mapping[str, str]) -> None:
    """Make nodes read other values, in place.

    Args:
        nodes: that read.
        names: new names by old ones; all others stay.
    """
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]


def replace_tensor(tensor: onnx.TensorProto, value: NDArray[np.generic]) -> None:
    """Give a constant of a graph another value under the same name, in place."""
    tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    """Return an integer attribute of a node."""
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def sorted_graph(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph with its nodes in the order in which they run.

    Shapes of an earlier graph and the marks of the tool that made it are removed.

    Args:
        graph: which may be changed.
    """
    load_onnxruntime()
    from onnxruntime.quantization.onnx_model import ONNXModel

    ordered = ONNXModel(graph)
    ordered.topological_sort()
    whole: onnx.ModelProto = ordered.model
    del whole.graph.value_info[:]
    del whole.metadata_props[:]
    whole.producer_name, whole.producer_version = "eyebright", ""
    onnx.checker.check_model(whole)
    return whole
