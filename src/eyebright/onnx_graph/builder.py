"""Nodes and constants to be added to an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import onnx
from onnx import helper, numpy_helper

from eyebright.onnx_graph.edit import copy_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class GraphBuilder:
    """Collect nodes and constants in the order in which they are added."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Add a constant and return its name."""
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"{output}_{kind.lower()}", **attributes)
        )
        return output

    def appended_to(
        self,
        model: onnx.ModelProto,
        outputs: Sequence[onnx.ValueInfoProto],
        inputs: Sequence[onnx.ValueInfoProto] = (),
    ) -> onnx.ModelProto:
        """Return a copy of a graph with the nodes after its own, and with further inputs and outputs."""
        whole = copy_of(model)
        whole.graph.node.extend(self.nodes)
        whole.graph.initializer.extend(self.initializers)
        whole.graph.input.extend(inputs)
        whole.graph.output.extend(outputs)
        onnx.checker.check_model(whole)
        return whole
