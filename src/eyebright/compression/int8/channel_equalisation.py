"""Channel equalisation: eight bits for a map become eight bits for each of its channels.

A map has one scale for all channels, so a channel of small values is rounded to a few levels. Where
convolutions make a map and convolutions read it, its channels can be scaled in the ones and scaled back in
the others without a change of the result (Nagel et al., 2019; Meller et al., 2019). Other readers of the map
get it scaled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.backbone import SealedBackbone, probe_graph
from eyebright.compression.int8.calibration import run_images
from eyebright.onnx_graph.edit import attribute, rename_inputs
from eyebright.types import FloatArray, UInt8Array

# Operators that pass a channel's positive scale on.
_PASSING = {"Add", "Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity"}
_LARGEST = 64.0  # of a scale, and of its inverse
# What `pool` of `backbones/graph.py` makes of a map, at first and at last.
_FIRST = ("mean", "max", "centred")
_POOLED = ("mean", "max", "deviation")


@dataclass
class _Group:
    """Maps whose channels must share their scales, with the convolutions that make and that read them."""

    maps: set[str] = field(default_factory=set)
    makers: list[onnx.NodeProto] = field(default_factory=list)
    readers: list[onnx.NodeProto] = field(default_factory=list)
    possible: bool = True


def channel_peaks(backbone: SealedBackbone, images: UInt8Array, threads: int) -> dict[str, FloatArray]:
    """Return the largest absolute value of each channel (C,) of each map that can be equalised."""
    names = sorted({name for group in _groups(backbone) for name in group.maps})
    if not names:
        return {}
    axes = numpy_helper.from_array(np.array([0, 2, 3], np.int64), "peak_axes")
    inner = [helper.make_node("Abs", [name], [f"{name}_abs"], f"{name}_abs") for name in names]
    nodes = [
        helper.make_node(
            "ReduceMax", [f"{name}_abs", axes.name], [f"{name}_peak"], f"{name}_peak", keepdims=0
        )
        for name in names
    ]
    graph = probe_graph(backbone.graph, backbone.size, nodes, [axes], inner)
    rows = list(run_images(graph, images, threads))
    return {name: np.max(column, axis=0) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def equalise_channels(backbone: SealedBackbone, found: Mapping[str, FloatArray]) -> SealedBackbone:
    """Return the same backbone with channels of equal peaks.

    Args:
        backbone: in float32.
        found: of :func:`channel_peaks`.
    """
    constants = dict(backbone.constants)
    scaled: dict[str, FloatArray] = {}
    for group in _groups(backbone):
        peak = np.max([found[name] for name in sorted(group.maps)], axis=0)
        scales = np.clip(peak.max() / np.maximum(peak, 1e-12), 1, _LARGEST).astype(np.float32)
        for node in group.makers:
            for name in node.input[1:]:
                shape = (-1, *[1] * (constants[name].ndim - 1))
                constants[name] = constants[name] * scales.reshape(shape)
        for node in group.readers:
            across = _depthwise(node, constants)
            shape = (-1, 1, 1, 1) if across else (1, -1, 1, 1)
            constants[node.input[1]] = constants[node.input[1]] / scales.reshape(shape)
        scaled |= dict.fromkeys(group.maps, scales)
    changed = {n: v for n, v in constants.items() if v is not backbone.constants[n]}
    even = backbone.with_constants(changed)
    _scale_back(even.graph, backbone, scaled)
    onnx.checker.check_model(even.graph)
    return even


def _groups(backbone: SealedBackbone) -> Iterator[_Group]:
    """Yield the maps that can be scaled, grouped by what ties their scales together."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for node in backbone.members:
        if node.op_type in _PASSING:
            for name in node.input:
                if name and name not in backbone.constants:
                    root[find(name)] = find(node.output[0])
    groups: dict[str, _Group] = {}
    readers_of_weights = [name for node in backbone.members for name in node.input[1:]]
    for node in backbone.members:
        for name in [n for n in node.input if n and n not in backbone.constants]:
            group = groups.setdefault(find(name), _Group())
            group.maps.add(name)
            if node.op_type == "Conv" and name == node.input[0] and _plain(node, backbone):
                group.readers.append(node)
            elif node.op_type not in _PASSING:
                group.possible = False
        for name in node.output:
            group = groups.setdefault(find(name), _Group())
            group.maps.add(name)
            own = all(readers_of_weights.count(weight) == 1 for weight in node.input[1:])
            if node.op_type == "Conv" and own:
                group.makers.append(node)
            elif node.op_type not in _PASSING or _adds_constant(node, backbone):
                group.possible = False
    made = {name for node in backbone.members for name in node.output}
    for group in groups.values():
        if group.possible and group.makers and group.readers and group.maps <= made:
            yield group


def _plain(node: onnx.NodeProto, backbone: SealedBackbone) -> bool:
    """Return whether a convolution's weights (O, C / groups, h, w) can take the scales of its input."""
    return attribute(node, "group", 1) == 1 or _depthwise(node, backbone.constants)


def _depthwise(node: onnx.NodeProto, constants: Mapping[str, FloatArray]) -> bool:
    groups = attribute(node, "group", 1)
    return groups > 1 and constants[node.input[1]].shape[:2] == (groups, 1)


def _adds_constant(node: onnx.NodeProto, backbone: SealedBackbone) -> bool:
    return node.op_type == "Add" and any(name in backbone.constants for name in node.input)


def _scale_back(graph: onnx.ModelProto, backbone: SealedBackbone, scaled: Mapping[str, FloatArray]) -> None:
    """Give readers outside the backbone what they would have read, under the same names."""
    inside = set(backbone.nodes)
    others = [node for node in graph.graph.node if node.name not in inside]
    outside = {name for node in others for name in node.input}
    written = {name for node in others for name in node.output}
    for name in sorted(outside & set(scaled)):
        made = {output for node in others if name in node.input for output in node.output}
        if made <= {f"{name}_{first}" for first in _FIRST}:
            # Pooled moments grow with their channel: rows are scaled back for nothing, a map is not.
            for kind in _POOLED:
                if (row := f"{name}_{kind}_flat") in written:
                    _back(graph, row, others, scaled[name].reshape(1, -1))
        else:
            _back(graph, name, others, scaled[name].reshape(1, -1, 1, 1))


def _back(graph: onnx.ModelProto, value: str, readers: Sequence[onnx.NodeProto], scales: FloatArray) -> None:
    """Divide a value by its scales for some of its readers, in place."""
    back = f"{value}_back"
    rename_inputs(readers, {value: back})
    factor = numpy_helper.from_array(1 / scales, f"{back}_factor")
    graph.graph.initializer.append(factor)
    place = next(i for i, node in enumerate(graph.graph.node) if back in node.input)
    graph.graph.node.insert(place, helper.make_node("Mul", [value, factor.name], [back], back))
