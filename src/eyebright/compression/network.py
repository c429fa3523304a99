"""The network inside a sealed graph, made ready for compression; what lies around it stays float32."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.subgraphs import PIXELS, SQUARES, between
from eyebright.types import FloatArray

#: The input of the network's first convolutions, where :func:`aligned` has moved it.
ALIGNED = "pixels_aligned"


@dataclass(frozen=True)
class Network:
    """A sealed graph of which one part, the network, may be compressed.

    The resize, the normalisation, the pooled moments, the head and the softmax are not part of it.

    Attributes:
        graph: the sealed graph; each weight of the network is one float32 constant.
        nodes: names of the network's nodes, in order.
        ends: the values that it ends with.
        size: S, the side of its input.
    """

    graph: onnx.ModelProto
    nodes: tuple[str, ...]
    ends: tuple[str, ...]
    size: int

    @cached_property
    def members(self) -> tuple[onnx.NodeProto, ...]:
        """The network's nodes."""
        names = set(self.nodes)
        return tuple(node for node in self.graph.graph.node if node.name in names)

    @cached_property
    def constants(self) -> dict[str, FloatArray]:
        """The graph's constants by name."""
        return {tensor.name: numpy_helper.to_array(tensor) for tensor in self.graph.graph.initializer}

    def squares(self) -> onnx.ModelProto:
        """The graph from grey levels float32 (B, 3, S, S) to probabilities."""
        return between(self.graph, SQUARES, self.size)

    def with_constants(self, values: dict[str, FloatArray]) -> Network:
        """The same network with other weights."""
        whole = onnx.ModelProto()
        whole.CopyFrom(self.graph)
        replace_constants(whole, values)
        return self.with_graph(whole)

    def with_graph(self, graph: onnx.ModelProto) -> Network:
        """The same nodes in another graph."""
        return replace(self, graph=graph)


def prepared(sealed: onnx.ModelProto, layers: Iterable[str], size: int) -> Network:
    """Finds the network in a sealed graph, unpacks its weights and folds its norms into convolutions.

    Args:
        sealed: the graph, which is left as it is.
        layers: the values whose maps are pooled; the network ends with them.
        size: S.
    """
    ends = tuple(dict.fromkeys(layers))
    part = _simplified(inner(sealed, ends, size))
    names = _named(part)
    return Network(with_inner(sealed, ends, part), names, ends, size)


def inner(graph: onnx.ModelProto, ends: Sequence[str], size: int) -> onnx.ModelProto:
    """The part of a sealed graph that is the network: from `pixels` (B, 3, S, S) to its last maps."""
    _, inside = _places(graph, ends)
    nodes = [graph.graph.node[i] for i in sorted(inside)]
    used = {name for node in nodes for name in node.input}
    kind = onnx.TensorProto.FLOAT
    part = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(PIXELS, kind, ["B", 3, size, size])],
        [helper.make_tensor_value_info(end, kind, None) for end in ends],
        [tensor for tensor in graph.graph.initializer if tensor.name in used],
    )
    return helper.make_model(part, opset_imports=graph.opset_import, ir_version=graph.ir_version)


def with_inner(graph: onnx.ModelProto, ends: Sequence[str], part: onnx.ModelProto) -> onnx.ModelProto:
    """A sealed graph with another network between the same values."""
    before, inside = _places(graph, ends)
    nodes = graph.graph.node
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    del whole.graph.node[:], whole.graph.value_info[:], whole.graph.initializer[:]
    whole.graph.node.extend(nodes[i] for i in sorted(before))
    whole.graph.node.extend(part.graph.node)
    whole.graph.node.extend(node for i, node in enumerate(nodes) if i not in before | inside)
    known = {tensor.name: tensor for tensor in (*graph.graph.initializer, *part.graph.initializer)}
    used = dict.fromkeys(name for node in whole.graph.node for name in node.input if name in known)
    whole.graph.initializer.extend(known[name] for name in used)
    domains = {opset.domain for opset in whole.opset_import}
    whole.opset_import.extend(opset for opset in part.opset_import if opset.domain not in domains)
    onnx.checker.check_model(whole)
    return whole


def aligned(network: Network) -> Network:
    """Moves the network's input by less than a grey level, so that eight bits hold every level exactly.

    With a mean of 0.5 each level lies halfway between two steps of a grid of 255 steps that has a zero, and
    the last digit of a float would decide to which of them it is rounded. The first convolutions' biases take
    the move back. Networks whose colours are normalised differently are left as they are.
    """
    scale, shift = (network.constants[name].ravel() for name in ("scale", "shift"))
    readers = [node for node in network.members if PIXELS in node.input]
    alike = np.ptp(scale) == 0 and np.ptp(shift) == 0
    if not alike or any(node.op_type != "Conv" or len(node.input) != 3 for node in readers):
        return network
    offset = float(shift[0]) + float(scale[0]) * round(-float(shift[0]) / float(scale[0]))
    whole = onnx.ModelProto()
    whole.CopyFrom(network.graph)
    biases = {}
    for node in readers:
        weights, bias = (network.constants[name] for name in node.input[1:])
        biases[node.input[2]] = bias + np.float32(offset) * weights.sum(axis=(1, 2, 3))
    replace_constants(whole, biases)
    whole.graph.initializer.append(numpy_helper.from_array(np.array(offset, np.float32), "alignment"))
    move = helper.make_node("Sub", [PIXELS, "alignment"], [ALIGNED], name=ALIGNED)
    first = min(i for i, node in enumerate(whole.graph.node) if PIXELS in node.input)
    for node in whole.graph.node:
        node.input[:] = [ALIGNED if name == PIXELS else name for name in node.input]
    whole.graph.node.insert(first, move)
    return network.with_graph(whole)


def input_range(network: Network) -> tuple[str, tuple[float, float]]:
    """The value that the network's first layers read, and what grey levels from 0 to 255 become there."""
    scale, shift = (network.constants[name].ravel() for name in ("scale", "shift"))
    offset = float(network.constants.get("alignment", np.float32(0)))
    name = ALIGNED if "alignment" in network.constants else PIXELS
    return name, (float(shift.min()) - offset, float((255 * scale + shift).max()) - offset)


def replace_constants(graph: onnx.ModelProto, values: dict[str, FloatArray]) -> None:
    """Gives constants of a graph other values, in place."""
    for tensor in graph.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(numpy_helper.from_array(values[tensor.name].astype(np.float32), tensor.name))


def _places(graph: onnx.ModelProto, ends: Sequence[str]) -> tuple[set[int], set[int]]:
    """The places of the nodes before the network, and of its own."""
    before = _ancestors(graph.graph.node, [PIXELS])
    return before, _ancestors(graph.graph.node, ends) - before


def _ancestors(nodes: Sequence[onnx.NodeProto], values: Iterable[str]) -> set[int]:
    """The places of all nodes that ``values`` depend on."""
    makers = {value: i for i, node in enumerate(nodes) for value in node.output}
    found: set[int] = set()
    waiting = [makers[value] for value in values]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting.extend(makers[value] for value in nodes[place].input if value in makers)
    return found


def _simplified(part: onnx.ModelProto) -> onnx.ModelProto:
    """ONNX Runtime's own folding of constants and norms; it adds no operators beyond the standard ones."""
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory(prefix="eyebright.") as folder:
        path = Path(folder) / "network.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def _named(network: onnx.ModelProto) -> tuple[str, ...]:
    """Gives every node a name of its own, in place: what is to be compressed is told by name."""
    for place, node in enumerate(network.graph.node):
        node.name = f"net{place}_{node.op_type.lower()}"
    return tuple(node.name for node in network.graph.node)


def looking(
    graph: onnx.ModelProto,
    size: int,
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto] = (),
    inner: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    """A graph on squares float32 (B, 3, S, S) that answers what ``nodes`` compute of its values.

    Args:
        graph: a sealed one; it is left as it is.
        size: S.
        nodes: each with one output, float32 of one dimension.
        constants: that they read.
        inner: nodes between the graph and them.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    whole.graph.node.extend([*inner, *nodes])
    whole.graph.initializer.extend(constants)
    names = [node.output[0] for node in nodes]
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None]) for name in names]
    whole.graph.output.extend(outputs)
    return between(whole, SQUARES, size, names)
