"""An index of an ONNX graph: what makes a value, who reads it, its shape and its constant."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_QUANTISATION = ("QuantizeLinear", "DequantizeLinear", "Identity")


class GraphIndex:
    """Find the values of a graph by name, as the graph is when each part of the index is first used.

    Args:
        model: the graph, which is left as it is; shapes are inferred from a copy.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model

    @cached_property
    def producers(self) -> dict[str, onnx.NodeProto]:
        """Map each value to the node that computes it."""
        return {name: node for node in self._model.graph.node for name in node.output}

    @cached_property
    def tensors(self) -> dict[str, onnx.TensorProto]:
        """Map each initializer's name to its tensor; changing the tensor changes the graph."""
        return {tensor.name: tensor for tensor in self._model.graph.initializer}

    @cached_property
    def readers(self) -> Counter[str]:
        """Count how often each value is read by a node."""
        return Counter(name for node in self._model.graph.node for name in node.input)

    @cached_property
    def types(self) -> dict[str, onnx.TypeProto.Tensor]:
        """Map each value whose type can be inferred to its element type and shape."""
        inferred = onnx.shape_inference.infer_shapes(self._model, data_prop=True).graph
        values = (*inferred.input, *inferred.value_info, *inferred.output)
        return {value.name: value.type.tensor_type for value in values}

    def __contains__(self, value: str) -> bool:
        return value in self.producers or value in self.tensors

    def producer(self, value: str, *kinds: str) -> onnx.NodeProto | None:
        """Return the node that made a value before it was quantised; None if it is not one of ``kinds``."""
        node = self.producers.get(value)
        while node is not None and node.op_type in _QUANTISATION:
            node = self.producers.get(node.input[0])
        return node if node is not None and (not kinds or node.op_type in kinds) else None

    def is_quantised(self, value: str) -> bool:
        """Return whether a value is dequantised integers."""
        node = self.producers.get(value)
        return node is not None and node.op_type == "DequantizeLinear"

    def shape(self, value: str) -> tuple[int, ...]:
        """Return the sizes of a value, 0 where one is free; empty if nothing is known."""
        return tuple(size.dim_value for size in self.types[value].shape.dim) if value in self.types else ()

    def constant(self, value: str) -> NDArray[np.generic] | None:
        """Return the array that is stored in the graph under this name; None if there is none."""
        tensor = self.tensors.get(value)
        if tensor is not None:
            return numpy_helper.to_array(tensor)
        node = self.producers.get(value)
        if node is not None and node.op_type == "Constant" and node.attribute[0].name == "value":
            return numpy_helper.to_array(node.attribute[0].t)
        return None

    def axes(self, node: onnx.NodeProto) -> tuple[int, ...]:
        """Return the axes that a reduction reduces, from 0 upwards; empty if they are not constant."""
        array = self.constant(node.input[1]) if len(node.input) > 1 else None
        rank = len(self.shape(node.input[0]))
        return () if array is None or not rank else tuple(sorted(int(axis) % rank for axis in array.ravel()))
