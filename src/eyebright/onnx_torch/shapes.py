"""Operators that move numbers without changing them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from torch import fx
from torch.nn import functional

from eyebright.onnx_torch.reader import Multiple, Reader, UnreadableError, attributes

Operator = Callable[[Reader, onnx.NodeProto], Any]


def _reshape(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    sizes: list[int | Multiple] = reader.sizes(node, 1)
    if not attributes(node).get("allowzero", 0):
        before = reader.shape(node.input[0]) if 0 in sizes else ()
        # A size that is not known ahead can only be the batch's.
        sizes = [(before[i] or Multiple(1)) if size == 0 else size for i, size in enumerate(sizes)]
    return _to_shape(reader, reader.tensor(node.input[0]), sizes)


def _to_shape(reader: Reader, x: fx.Node, sizes: Sequence[int | Multiple]) -> fx.Node:
    """Return a reshape that needs no arithmetic on the batch size where only one size depends on it."""
    open_places = [i for i, size in enumerate(sizes) if isinstance(size, Multiple) or size == -1]
    if len(open_places) == 1:
        target: list[Any] = [-1 if i in open_places else size for i, size in enumerate(sizes)]
    else:
        target = [reader.batch_times(s.factor) if isinstance(s, Multiple) else s for s in sizes]
    return reader.call(torch.reshape, x, target)


def _flatten(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    axis = attributes(node).get("axis", 1)
    if axis != 1:
        raise UnreadableError(node.op_type)
    return reader.call(torch.flatten, reader.tensor(node.input[0]), 1)


def _transpose(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    order = attributes(node).get("perm") or range(len(reader.shape(node.input[0])))[::-1]
    return reader.call(torch.permute, reader.tensor(node.input[0]), list(order))


def _axes(reader: Reader, node: onnx.NodeProto) -> list[int]:
    axes = reader.optional(node, 1)
    chosen = attributes(node).get("axes") if axes is None else axes.reshape(-1).tolist()
    if not chosen:
        raise UnreadableError(node.op_type)
    return list(chosen)


def _squeeze(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    return reader.call(torch.squeeze, reader.tensor(node.input[0]), _axes(reader, node))


def _unsqueeze(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    axes = _axes(reader, node)
    rank = len(reader.shape(node.input[0])) + len(axes)
    result = reader.tensor(node.input[0])
    for axis in sorted(axis % rank for axis in axes):
        result = reader.call(torch.unsqueeze, result, axis)
    return result


def _concat(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    parts = [reader.tensor(name) for name in node.input]
    return reader.call(torch.cat, parts, attributes(node)["axis"])


def _slice(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    starts, ends = reader.known(node, 1).tolist(), reader.known(node, 2).tolist()
    axes, steps = reader.optional(node, 3), reader.optional(node, 4)
    rank = len(reader.shape(node.input[0]))
    chosen = range(len(starts)) if axes is None else (int(axis) % rank for axis in axes)
    strides = [1] * len(starts) if steps is None else steps.tolist()
    if min(strides) < 1:
        raise UnreadableError(node.op_type)
    result = reader.tensor(node.input[0])
    for axis, start, end, step in zip(chosen, starts, ends, strides, strict=True):
        # ONNX writes "to the end" as the largest integer.
        part = slice(start or None, None if end > 2**31 - 2 else end, None if step == 1 else step)
        result = reader.call(operator.getitem, result, (slice(None),) * axis + (part,))
    return result


def _split(reader: Reader, node: onnx.NodeProto) -> list[fx.Node]:
    given = attributes(node)
    axis, sizes = given.get("axis", 0), reader.optional(node, 1)
    whole = reader.shape(node.input[0])[axis]
    if sizes is None and whole is None:
        raise UnreadableError(node.op_type)
    share = -(-(whole or 0) // len(node.output))
    parts = reader.call(
        torch.split, reader.tensor(node.input[0]), share if sizes is None else sizes.tolist(), axis
    )
    return [reader.call(operator.getitem, parts, i) for i in range(len(node.output))]


def _gather(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    if _takes_all(reader, node):
        sizes = [_common(reader, node, i) for i in range(reader.all_probes(node.input[1])[0].ndim)]
        return _to_shape(reader, reader.tensor(node.input[0]), sizes)
    indices, axis = reader.known(node, 1), attributes(node).get("axis", 0)
    x, shape = reader.tensor(node.input[0]), reader.shape(node.input[0])
    axis %= len(shape)
    if indices.ndim == 0:
        return reader.call(torch.select, x, axis, int(indices))
    if (indices < 0).any():
        raise UnreadableError(node.op_type)
    places = reader.buffer(node.input[1], torch.from_numpy(indices.reshape(-1).astype(np.int64)))
    rows = reader.call(torch.index_select, x, axis, places)
    if indices.ndim == 1:
        return rows
    around: list[int | Multiple] = [size or Multiple(1) for size in shape]
    return _to_shape(reader, rows, [*around[:axis], *indices.shape, *around[axis + 1 :]])


def _takes_all(reader: Reader, node: onnx.NodeProto) -> bool:
    """Return whether all numbers of a row are taken in order: how the exporter says `as_strided`."""
    if not reader.is_settled(node.input[1]) or len(reader.shape(node.input[0])) != 1:
        return False
    probes = reader.all_probes(node.input[1])
    return all(np.array_equal(v.reshape(-1), np.arange(v.size)) for v in probes)


def _common(reader: Reader, node: onnx.NodeProto, axis: int) -> int | Multiple:
    sizes: set[int] = {probe.shape[axis] for probe in reader.all_probes(node.input[1])}
    if len(sizes) == 1:
        return sizes.pop()
    if axis:
        raise UnreadableError(node.op_type)
    return Multiple(1)


def _expand(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    sizes, before = reader.sizes(node, 1), reader.shape(node.input[0])
    new = len(sizes) - len(before)
    target: list[Any] = []
    for place, size in enumerate(sizes):
        if isinstance(size, Multiple):
            target.append(reader.batch_times(size.factor))
        else:  # 1 keeps what is there, which torch writes as -1
            target.append(-1 if size == 1 and place >= new else size)
    return reader.graph.call_method("expand", (reader.tensor(node.input[0]), *target))


def _pad(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    value, axes = reader.optional(node, 2), reader.optional(node, 3)
    mode = modes.get(given.get("mode", "constant"))
    if mode is None or axes is not None:
        raise UnreadableError(node.op_type)
    pads = reader.known(node, 1).tolist()
    begins, ends = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    around = [size for pair in zip(begins[::-1], ends[::-1], strict=True) for size in pair]
    while len(around) > 2 and around[-2:] == [0, 0]:
        del around[-2:]
    filling = 0.0 if value is None else value.item()
    return reader.call(functional.pad, reader.tensor(node.input[0]), around, mode, filling)


def _resize(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    kind, how = given.get("mode", "nearest"), given.get("coordinate_transformation_mode", "half_pixel")
    kinds: dict[tuple[str, str], dict[str, object]] = {
        ("linear", "half_pixel"): {"mode": "bilinear", "align_corners": False},
        ("linear", "pytorch_half_pixel"): {"mode": "bilinear", "align_corners": False},
        ("linear", "align_corners"): {"mode": "bilinear", "align_corners": True},
        ("nearest", "asymmetric"): {"mode": "nearest"},
    }
    after = reader.shape(node.output[0])
    known = (kind, how) in kinds and not given.get("antialias", 0) and len(after) == 4
    if not known or (kind == "nearest" and given.get("nearest_mode") != "floor") or None in after[2:]:
        raise UnreadableError(node.op_type)
    x = reader.tensor(node.input[0])
    return reader.call(functional.interpolate, x, size=list(after[2:]), **kinds[kind, how])


def _depth_to_space(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    if given.get("mode", "DCR") != "CRD":
        raise UnreadableError(node.op_type)
    return reader.call(functional.pixel_shuffle, reader.tensor(node.input[0]), given["blocksize"])


SHAPES: dict[str, Operator] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
