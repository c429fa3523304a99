"""An ONNX graph while it is turned into a torch.fx graph, node by node."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor, fx, nn

from eyebright.errors import EyebrightError
from eyebright.onnx_graph.index import GraphIndex
from eyebright.onnx_torch.shape_values import settled

_PROBES = (2, 3)


class UnreadableError(EyebrightError, ValueError):
    """A graph has an operator, or a use of one, that cannot be converted to PyTorch.

    Attributes:
        operator: its name in ONNX.
    """

    def __init__(self, operator: str) -> None:
        self.operator = operator
        super().__init__(
            "Every operator of the graph must have a counterpart in PyTorch. {operator} has none. "
            "Choose another backbone, or a format that takes ONNX directly: onnx or openvino.",
            operator=operator,
        )


@dataclass(frozen=True)
class Multiple:
    """A size that is ``factor`` times the batch size."""

    factor: int


class Reader:
    """The torch.fx graph of an ONNX graph with one input, as far as it has been read.

    Values that depend on constants and the batch size alone are computed beforehand, so that no arithmetic on
    shapes is left, which converters cannot handle.

    Args:
        model: the ONNX graph.
        batch: the batch size if it is to be fixed, else None.
    """

    def __init__(self, model: onnx.ModelProto, batch: int | None) -> None:
        self.module = nn.Module()
        self.graph = fx.Graph()
        self.batch = batch
        self.values: dict[str, fx.Node] = {}
        index = GraphIndex(model)
        self.uses = index.readers + Counter(output.name for output in model.graph.output)
        found = settled(model, _PROBES if batch is None else (batch,))
        self._settled = {name: tuple(_widened(v) for v in values) for name, values in found.items()}
        self._types = index.types
        self.input = self.graph.placeholder(_identifier(model.graph.input[0].name))
        self.values[model.graph.input[0].name] = self.input

    def is_settled(self, name: str) -> bool:
        """Return whether a value was computed beforehand."""
        return name in self._settled

    def is_done(self, name: str) -> bool:
        """Return whether a value needs no node: it is the same for every batch, or part of a shape."""
        found = self._settled.get(name)
        return found is not None and (self.constant(name) is not None or found[0].dtype.kind in "iub")

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return the value if it is the same for every batch, else None."""
        found = self._settled.get(name)
        if found is None or any(not np.array_equal(found[0], other) for other in found[1:]):
            return None
        return found[0]

    def known(self, node: onnx.NodeProto, place: int) -> NDArray[Any]:
        """Return the constant that is input ``place`` of a node.

        Raises:
            UnreadableError: it is not constant.
        """
        value = self.constant(node.input[place])
        if value is None:
            raise UnreadableError(node.op_type)
        return value

    def optional(self, node: onnx.NodeProto, place: int) -> NDArray[Any] | None:
        """Return the constant that is an optional input of a node; None if it is left out."""
        absent = len(node.input) <= place or not node.input[place]
        return None if absent else self.known(node, place)

    def sizes(self, node: onnx.NodeProto, place: int) -> list[int | Multiple]:
        """Return the shape (n,) that is input ``place`` of a node.

        Raises:
            UnreadableError: it depends on the batch size by more than a factor, or on pixels.
        """
        found = self._settled.get(node.input[place])
        if found is None:
            raise UnreadableError(node.op_type)
        return [self._size(node, entries) for entries in zip(*(v.tolist() for v in found), strict=True)]

    def _size(self, node: onnx.NodeProto, entries: tuple[int, ...]) -> int | Multiple:
        if len(set(entries)) == 1:
            return entries[0]
        factors = {entry / batch for entry, batch in zip(entries, _PROBES, strict=True)}
        if len(factors) > 1 or not (factor := factors.pop()).is_integer():
            raise UnreadableError(node.op_type)
        return Multiple(int(factor))

    def all_probes(self, name: str) -> Sequence[NDArray[Any]]:
        """Return a settled value for each of the batch sizes that were tried."""
        return self._settled[name]

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Return the sizes of a value, None where unknown.

        Raises:
            UnreadableError: not even their number is known.
        """
        constant = self.constant(name)
        if constant is not None:
            return constant.shape
        if name not in self._types or not self._types[name].HasField("shape"):
            raise UnreadableError(name)
        return tuple(size.dim_value or None for size in self._types[name].shape.dim)

    def is_float(self, name: str) -> bool:
        """Return whether a value is known to be floating-point."""
        kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
        return name in self._types and self._types[name].elem_type in kinds

    def tensor(self, name: str) -> fx.Node:
        """Return the node of a value; constants become buffers."""
        if name not in self.values:
            value = self.constant(name)
            if value is None:
                raise UnreadableError(name)
            self.values[name] = self.buffer(name, torch.from_numpy(np.array(value, order="C")))
        return self.values[name]

    def buffer(self, name: str, value: Tensor) -> fx.Node:
        """Add a constant to the module, named after ``name``."""
        target = self._free(name)
        self.module.register_buffer(target, value)
        return self.graph.get_attr(target)

    def call(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> fx.Node:
        """Add a call of a PyTorch function."""
        return self.graph.call_function(function, arguments, keywords)

    def layer(self, name: str, layer: nn.Module, argument: fx.Node) -> fx.Node:
        """Add a call of a submodule, named after the ONNX value ``name``."""
        target = self._free(name)
        self.module.add_module(target, layer)
        # Built by hand: Graph.call_module warns of a module that the graph does not own yet.
        return self.graph.create_node("call_module", target, (argument,))

    def batch_times(self, factor: int) -> int | fx.Node:
        """Return ``factor`` times the batch size, for a function that takes sizes."""
        if self.batch is not None:
            return factor * self.batch
        size = self.graph.call_method("size", (self.input, 0))
        return size if factor == 1 else size * factor  # type: ignore[operator]  # fx notes it down

    def _free(self, name: str) -> str:
        base = _identifier(name)
        taken = {*self.module._modules, *self.module._buffers}
        return base if base not in taken else next(n for i in count(1) if (n := f"{base}_{i}") not in taken)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name; texts as str."""
    found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {name: v.decode() if isinstance(v, bytes) else v for name, v in found.items()}


def _identifier(name: str) -> str:
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return text if text[:1].isalpha() else f"value_{text}"


def _widened(value: NDArray[Any]) -> NDArray[Any]:
    """Return float16 as float32: a module has one precision, and formats convert to their own."""
    return value.astype(np.float32) if value.dtype == np.float16 else value
