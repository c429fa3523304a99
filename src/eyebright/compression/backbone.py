"""The backbone inside a sealed graph, made ready for compression; what lies around it stays float32."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.onnx_graph.edit import copy_of, rename_inputs, replace_tensor
from eyebright.runtime.onnx_session import open_session
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.subgraphs import PIXELS, RESIZED, subgraph_from
from eyebright.types import FloatArray

#: The input of the backbone's first convolutions, where :func:`align_input` has moved it.
ALIGNED = "pixels_aligned"


@dataclass(frozen=True)
class SealedBackbone:
    """A sealed graph of which one part, the backbone, may be compressed.

    The resize, the normalisation, the pooled moments, the head and the softmax are not part of it.

    Attributes:
        graph: the sealed graph; each weight of the backbone is one float32 constant.
        nodes: names of the backbone's nodes, in order.
        ends: the values that it ends with.
        size: S, the side of its input.
    """

    graph: onnx.ModelProto
    nodes: tuple[str, ...]
    ends: tuple[str, ...]
    size: int

    @cached_property
    def members(self) -> tuple[onnx.NodeProto, ...]:
        """Return the backbone's nodes."""
        names = set(self.nodes)
        return tuple(node for node in self.graph.graph.node if node.name in names)

    @cached_property
    def constants(self) -> dict[str, FloatArray]:
        """Return the graph's constants by name."""
        return {tensor.name: numpy_helper.to_array(tensor) for tensor in self.graph.graph.initializer}

    def resized_graph(self) -> onnx.ModelProto:
        """Return the graph from grey levels float32 (B, 3, S, S) to probabilities."""
        return subgraph_from(self.graph, RESIZED, self.size)

    def with_constants(self, values: dict[str, FloatArray]) -> SealedBackbone:
        """Return the same backbone with other weights."""
        whole = copy_of(self.graph)
        replace_constants(whole, values)
        return self.with_graph(whole)

    def with_graph(self, graph: onnx.ModelProto) -> SealedBackbone:
        """Return the same nodes in another graph."""
        return replace(self, graph=graph)


def prepare_backbone(sealed: onnx.ModelProto, layers: Iterable[str], size: int) -> SealedBackbone:
    """Find the backbone in a sealed graph, unpack its weights and fold its norms into convolutions.

    Args:
        sealed: the graph, which is left as it is.
        layers: the values whose maps are pooled; the backbone ends with them.
        size: S.
    """
    ends = tuple(dict.fromkeys(layers))
    part = _simplified(extract_backbone(sealed, ends, size))
    names = _name_nodes(part)
    return SealedBackbone(replace_backbone(sealed, ends, part), names, ends, size)


def extract_backbone(graph: onnx.ModelProto, ends: Sequence[str], size: int) -> onnx.ModelProto:
    """Return the part of a sealed graph that is the backbone: from `pixels` (B, 3, S, S) to its last maps."""
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


def replace_backbone(graph: onnx.ModelProto, ends: Sequence[str], part: onnx.ModelProto) -> onnx.ModelProto:
    """Return a sealed graph with another backbone between the same values."""
    before, inside = _places(graph, ends)
    nodes = graph.graph.node
    whole = copy_of(graph)
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


def align_input(backbone: SealedBackbone) -> SealedBackbone:
    """Move the backbone's input by less than a grey level, so that eight bits hold every level exactly.

    With a mean of 0.5 each level lies halfway between two steps of a grid of 255 steps that has a zero, and
    the last digit of a float would decide to which of them it is rounded. The first convolutions' biases take
    the move back. Backbones whose colours are normalised differently are left as they are.
    """
    scale, shift = (backbone.constants[name].ravel() for name in ("scale", "shift"))
    readers = [node for node in backbone.members if PIXELS in node.input]
    alike = np.ptp(scale) == 0 and np.ptp(shift) == 0
    if not alike or any(node.op_type != "Conv" or len(node.input) != 3 for node in readers):
        return backbone
    offset = float(shift[0]) + float(scale[0]) * round(-float(shift[0]) / float(scale[0]))
    whole = copy_of(backbone.graph)
    biases = {}
    for node in readers:
        weights, bias = (backbone.constants[name] for name in node.input[1:])
        biases[node.input[2]] = bias + np.float32(offset) * weights.sum(axis=(1, 2, 3))
    replace_constants(whole, biases)
    whole.graph.initializer.append(numpy_helper.from_array(np.array(offset, np.float32), "alignment"))
    move = helper.make_node("Sub", [PIXELS, "alignment"], [ALIGNED], name=ALIGNED)
    first = min(i for i, node in enumerate(whole.graph.node) if PIXELS in node.input)
    rename_inputs(whole.graph.node, {PIXELS: ALIGNED})
    whole.graph.node.insert(first, move)
    return backbone.with_graph(whole)


def input_range(backbone: SealedBackbone) -> tuple[str, tuple[float, float]]:
    """Return the value that the first layers read, and what grey levels from 0 to 255 become there."""
    scale, shift = (backbone.constants[name].ravel() for name in ("scale", "shift"))
    offset = float(backbone.constants.get("alignment", np.float32(0)))
    name = ALIGNED if "alignment" in backbone.constants else PIXELS
    return name, (float(shift.min()) - offset, float((255 * scale + shift).max()) - offset)


def replace_constants(graph: onnx.ModelProto, values: dict[str, FloatArray]) -> None:
    """Give constants of a graph other values as float32, in place."""
    for tensor in graph.graph.initializer:
        if tensor.name in values:
            replace_tensor(tensor, values[tensor.name].astype(np.float32))


def _places(graph: onnx.ModelProto, ends: Sequence[str]) -> tuple[set[int], set[int]]:
    """Return the places of the nodes before the backbone, and of its own."""
    before = _ancestors(graph.graph.node, [PIXELS])
    return before, _ancestors(graph.graph.node, ends) - before


def _ancestors(nodes: Sequence[onnx.NodeProto], values: Iterable[str]) -> set[int]:
    """Return the places of all nodes that ``values`` depend on."""
    producers = {value: i for i, node in enumerate(nodes) for value in node.output}
    found: set[int] = set()
    waiting = [producers[value] for value in values]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting.extend(producers[value] for value in nodes[place].input if value in producers)
    return found


def _simplified(part: onnx.ModelProto) -> onnx.ModelProto:
    """Let ONNX Runtime fold constants and norms; it adds no operators beyond the standard ones."""
    basic = load_onnxruntime().GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="eyebright.") as folder:
        path = Path(folder) / "backbone.onnx"
        open_session(part, None, graph_optimization_level=basic, optimized_model_filepath=str(path))
        return onnx.load(path)


def _name_nodes(backbone: onnx.ModelProto) -> tuple[str, ...]:
    """Give every node a name of its own, in place: layers to compress are chosen by name."""
    for place, node in enumerate(backbone.graph.node):
        node.name = f"net{place}_{node.op_type.lower()}"
    return tuple(node.name for node in backbone.graph.node)


def probe_graph(
    graph: onnx.ModelProto,
    size: int,
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto] = (),
    inner: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    """Return a graph from resized images float32 (B, 3, S, S) to what ``nodes`` compute of its values.

    Args:
        graph: a sealed graph, which is left as it is.
        size: S.
        nodes: each with one output, float32 of one dimension.
        constants: that the nodes read.
        inner: nodes between the graph and ``nodes``.
    """
    whole = copy_of(graph)
    whole.graph.node.extend([*inner, *nodes])
    whole.graph.initializer.extend(constants)
    names = [node.output[0] for node in nodes]
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None]) for name in names]
    whole.graph.output.extend(outputs)
    return subgraph_from(whole, RESIZED, size, names)
