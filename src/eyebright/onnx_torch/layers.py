"""Operators with weights, as the layers of torch.nn that training, pruning and quantisation know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn import functional

from eyebright.onnx_torch.reader import Reader, UnreadableError, attributes

_CONVOLUTIONS: dict[int, Callable[..., nn.Conv1d | nn.Conv2d | nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


def _weight(value: NDArray[Any]) -> nn.Parameter:
    # Contiguous: litert-torch takes one weight for another where it has to copy them to make them so.
    return nn.Parameter(torch.from_numpy(np.array(value, order="C")))


def _padded(
    reader: Reader, x: fx.Node, pads: Sequence[int], value: float = 0.0
) -> tuple[fx.Node, tuple[int, ...]]:
    """Take apart ONNX's padding (all begins, then all ends) of the last axes.

    Returns:
        The input, padded where begins and ends differ, and the padding that is left to the layer.
    """
    begins, ends = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    if list(begins) == list(ends):
        return x, tuple(begins)
    around = [size for pair in zip(begins[::-1], ends[::-1], strict=True) for size in pair]
    return reader.call(functional.pad, x, around, "constant", value), (0,) * len(begins)


def _conv(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    weight, bias = reader.known(node, 1), reader.optional(node, 2)
    axes = weight.ndim - 2
    if given.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or axes not in _CONVOLUTIONS:
        raise UnreadableError(node.op_type)
    x, padding = _padded(reader, reader.tensor(node.input[0]), given.get("pads", [0] * (2 * axes)))
    groups = given.get("group", 1)
    layer = _CONVOLUTIONS[axes](
        weight.shape[1] * groups,
        weight.shape[0],
        kernel_size=weight.shape[2:],
        stride=tuple(given.get("strides", [1] * axes)),
        padding=padding,
        dilation=tuple(given.get("dilations", [1] * axes)),
        groups=groups,
        bias=bias is not None,
        device="meta",  # its weights are replaced at once
    )
    layer.weight = _weight(weight)
    layer.bias = None if bias is None else _weight(bias)
    return reader.layer(node.output[0], layer, x)


def _linear(
    reader: Reader, name: str, x: fx.Node, weight: NDArray[Any], bias: NDArray[Any] | None
) -> fx.Node:
    """Return a linear layer of ``weight`` (inputs, outputs)."""
    layer = nn.Linear(weight.shape[0], weight.shape[1], bias=bias is not None, device="meta")
    layer.weight = _weight(weight.T)
    if bias is not None:
        layer.bias = _weight(bias.reshape(-1))
    return reader.layer(name, layer, x)


def _gemm(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    weight, bias = reader.known(node, 1), reader.optional(node, 2)
    if given.get("transA", 0) or (
        bias is not None and bias.size not in (1, weight.shape[not given.get("transB", 0)])
    ):
        raise UnreadableError(node.op_type)
    weight = (weight.T if given.get("transB", 0) else weight) * np.float32(given.get("alpha", 1.0))
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1) * np.float32(given.get("beta", 1.0)), weight.shape[1:])
    return _linear(reader, node.output[0], reader.tensor(node.input[0]), weight, bias)


def _matmul(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    weight = reader.constant(node.input[1])
    if weight is not None and weight.ndim == 2:
        return _linear(reader, node.output[0], reader.tensor(node.input[0]), weight, None)
    return reader.call(torch.matmul, *(reader.tensor(name) for name in node.input))


def _add(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    """Return a sum; a row that is added to a linear layer's answer becomes the layer's bias."""
    for product, other in (node.input, node.input[::-1]):
        bias, before = reader.constant(other), reader.values.get(product)
        if bias is None or before is None or before.op != "call_module" or reader.uses[product] > 1:
            continue
        layer = reader.module.get_submodule(str(before.target))
        if isinstance(layer, nn.Linear) and layer.bias is None and bias.shape == (layer.out_features,):
            layer.bias = _weight(bias)
            return before
    return reader.call(torch.add, *(reader.tensor(name) for name in node.input))


def _batch_norm(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    scale, bias, mean, var = (reader.known(node, place) for place in range(1, 5))
    kinds = {3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    kind = kinds.get(len(reader.shape(node.input[0])))
    if kind is None or given.get("training_mode", 0):
        raise UnreadableError(node.op_type)
    # ONNX's momentum is the share that stays.
    layer = kind(len(scale), eps=given.get("epsilon", 1e-5), momentum=1 - given.get("momentum", 0.9))
    layer.weight, layer.bias = _weight(scale), _weight(bias)
    layer.running_mean, layer.running_var = torch.from_numpy(mean.copy()), torch.from_numpy(var.copy())
    return reader.layer(node.output[0], layer, reader.tensor(node.input[0]))


def _layer_norm(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    scale, bias = reader.known(node, 1), reader.optional(node, 2)
    axis, rank = given.get("axis", -1), len(reader.shape(node.input[0]))
    if scale.ndim != rank - axis % rank or len(node.output) > 1:
        raise UnreadableError(node.op_type)
    layer = nn.LayerNorm(scale.shape, eps=given.get("epsilon", 1e-5), bias=bias is not None)
    layer.weight = _weight(scale)
    if bias is not None:
        layer.bias = _weight(bias)
    return reader.layer(node.output[0], layer, reader.tensor(node.input[0]))


def _max_pool(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    kernel = given["kernel_shape"]
    axes = len(kernel)
    if given.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or axes != 2 or len(node.output) > 1:
        raise UnreadableError(node.op_type)
    lowest = float(np.finfo(np.float32).min)
    x, padding = _padded(reader, reader.tensor(node.input[0]), given.get("pads", [0] * 4), lowest)
    layer = nn.MaxPool2d(
        tuple(kernel),
        stride=tuple(given.get("strides", [1] * axes)),
        padding=padding,
        dilation=tuple(given.get("dilations", [1] * axes)),
        ceil_mode=bool(given.get("ceil_mode", 0)),
    )
    return reader.layer(node.output[0], layer, x)


def _average_pool(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    kernel, pads = given["kernel_shape"], given.get("pads", [0] * 4)
    counted = bool(given.get("count_include_pad", 0))
    unsupported = given.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or set(
        given.get("dilations", ())
    ) - {1}
    if unsupported or len(kernel) != 2 or (pads[:2] != pads[2:] and not counted):
        raise UnreadableError(node.op_type)
    x, padding = _padded(reader, reader.tensor(node.input[0]), pads)
    layer = nn.AvgPool2d(
        tuple(kernel),
        stride=tuple(given.get("strides", [1] * 2)),
        padding=(padding[0], padding[1]),
        ceil_mode=bool(given.get("ceil_mode", 0)),
        count_include_pad=counted,
    )
    return reader.layer(node.output[0], layer, x)


def _prelu(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    slope = reader.known(node, 1).reshape(-1)
    layer = nn.PReLU(len(slope))
    layer.weight = _weight(slope)
    return reader.layer(node.output[0], layer, reader.tensor(node.input[0]))


LAYERS: dict[str, Callable[[Reader, onnx.NodeProto], fx.Node]] = {
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Gemm": _gemm,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "PRelu": _prelu,
}
