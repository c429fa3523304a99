"""A graph read backwards: what made a value, of which shape, from which constants."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_QUANTISATION = ("QuantizeLinear", "DequantizeLinear", "Identity")


class Wiring:
    """Values of a graph by name.

    Args:
        model: whose shapes are inferred; it is left as it is.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        self._shapes = {info.name: _shape(info) for info in (*inferred.value_info, *inferred.output)}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def __contains__(self, value: str) -> bool:
        return value in self._makers or value in self._constants

    def maker(self, value: str, *kinds: str) -> onnx.NodeProto | None:
        """The node that made a value, before it was quantised; None where it is another than ``kinds``."""
        node = self._makers.get(value)
        while node is not None and node.op_type in _QUANTISATION:
            node = self._makers.get(node.input[0])
        return node if node is not None and (not kinds or node.op_type in kinds) else None

    def quantised(self, value: str) -> bool:
        """Whether a value is integers that were turned back."""
        node = self._makers.get(value)
        return node is not None and node.op_type == "DequantizeLinear"

    def shape(self, value: str) -> tuple[int, ...]:
        """The sides of a value, 0 where one is free; empty where nothing is known."""
        return self._shapes.get(value, ())

    def constant(self, value: str) -> NDArray[np.generic] | None:
        """The array that stands in the graph under this name."""
        tensor = self._constants.get(value)
        if tensor is not None:
            return numpy_helper.to_array(tensor)
        node = self._makers.get(value)
        if node is not None and node.op_type == "Constant" and node.attribute[0].name == "value":
            return numpy_helper.to_array(node.attribute[0].t)
        return None

    def axes(self, node: onnx.NodeProto) -> tuple[int, ...]:
        """The axes that a reduction reduces, from 0 upwards; empty where they are no constant."""
        array = self.constant(node.input[1]) if len(node.input) > 1 else None
        rank = len(self.shape(node.input[0]))
        return () if array is None or not rank else tuple(sorted(int(axis) % rank for axis in array.ravel()))


def _shape(info: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)
