"""Operators on each number or along axes, as functions of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from torch import fx
from torch.nn import functional

from eyebright.onnx_torch.reader import Reader, UnreadableError, attributes

Operator = Callable[[Reader, onnx.NodeProto], Any]

# The gradient of a square root at 0 is infinite, and a map that is 0 everywhere has no deviation.
_SMALLEST_SQUARE = 1e-14


def _plain(function: Callable[..., Any]) -> Operator:
    """Return an operator that takes its inputs and nothing else."""

    def read(reader: Reader, node: onnx.NodeProto) -> fx.Node:
        return reader.call(function, *(reader.tensor(name) for name in node.input))

    return read


def _folded(function: Callable[..., Any]) -> Operator:
    """Return an operator of any number of inputs, two at a time."""

    def read(reader: Reader, node: onnx.NodeProto) -> fx.Node:
        result = reader.tensor(node.input[0])
        for name in node.input[1:]:
            result = reader.call(function, result, reader.tensor(name))
        return result

    return read


def _with(function: Callable[..., Any], **names: tuple[str, float]) -> Operator:
    """Return an operator whose attributes become keywords: ``keyword=(attribute, default)``."""

    def read(reader: Reader, node: onnx.NodeProto) -> fx.Node:
        given = attributes(node)
        keywords = {keyword: given.get(name, default) for keyword, (name, default) in names.items()}
        return reader.call(function, reader.tensor(node.input[0]), **keywords)

    return read


def _reduce(function: Callable[..., Any]) -> Operator:
    """Return an operator along axes, given as an input or, before opset 18, as an attribute."""

    def read(reader: Reader, node: onnx.NodeProto) -> fx.Node:
        given = attributes(node)
        axes = reader.optional(node, 1)
        chosen = given.get("axes") if axes is None else axes.tolist()
        if not chosen:
            raise UnreadableError(node.op_type)
        keep = bool(given.get("keepdims", 1))
        return reader.call(function, reader.tensor(node.input[0]), chosen, keep)

    return read


def _softmax(function: Callable[..., Any]) -> Operator:
    def read(reader: Reader, node: onnx.NodeProto) -> fx.Node:
        return reader.call(function, reader.tensor(node.input[0]), attributes(node).get("axis", -1))

    return read


def _hard_sigmoid(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    if not np.isclose(given.get("alpha", 0.2), 1 / 6) or given.get("beta", 0.5) != 0.5:
        raise UnreadableError(node.op_type)
    return reader.call(functional.hardsigmoid, reader.tensor(node.input[0]))


def _clip(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    limits = (reader.optional(node, 1), reader.optional(node, 2))
    low, high = (None if limit is None else limit.item() for limit in limits)
    x = reader.tensor(node.input[0])
    if (low, high) == (0, 6):
        return reader.call(functional.relu6, x)
    return reader.call(torch.clamp, x, low, high)


def _sqrt(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    floored = reader.call(torch.clamp, reader.tensor(node.input[0]), _SMALLEST_SQUARE)
    return reader.call(torch.sqrt, floored)


def _multiply(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    """Multiply, or apply the SiLU or GELU that an exporter took apart: formats have faster ones."""
    a, b = (reader.tensor(name) for name in node.input)
    for x, factor in ((a, b), (b, a)):
        if factor.target is torch.sigmoid and factor.args[0] is x:
            return reader.call(functional.silu, x)
        if _is_normal_probability(reader, factor, x):
            return reader.call(functional.gelu, x)
    return reader.call(torch.mul, a, b)


def _is_normal_probability(reader: Reader, factor: fx.Node, x: fx.Node) -> bool:
    """Return whether ``factor`` is 0.5 * (1 + erf(x / sqrt(2)))."""
    total = _beside(reader, factor, torch.mul, 0.5)
    error = total and _beside(reader, total, torch.add, 1.0)
    if error is None or error.target is not torch.erf:
        return False
    quotient = error.args[0]
    if not isinstance(quotient, fx.Node) or not quotient.args or quotient.args[0] is not x:
        return False
    divisors: dict[object, float] = {torch.div: 2**0.5, torch.mul: 0.5**0.5}
    divisor = divisors.get(quotient.target)
    return divisor is not None and _equals(reader, quotient.args[1], divisor)


def _beside(reader: Reader, node: fx.Node, function: Callable[..., Any], constant: float) -> fx.Node | None:
    """Return the other operand, if ``node`` is ``function`` of it and of ``constant``."""
    if node.target is not function:
        return None
    for one, other in (node.args, node.args[::-1]):
        if _equals(reader, one, constant) and isinstance(other, fx.Node):
            return other
    return None


def _equals(reader: Reader, node: object, constant: float) -> bool:
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return False
    value = getattr(reader.module, str(node.target))
    return bool(value.numel() == 1 and abs(value.item() - constant) < 1e-6)


def _cast(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    kinds = {
        onnx.TensorProto.FLOAT: torch.float32,
        onnx.TensorProto.FLOAT16: torch.float32,
        onnx.TensorProto.INT64: torch.int64,
        onnx.TensorProto.INT32: torch.int32,
        onnx.TensorProto.BOOL: torch.bool,
    }
    kind = kinds.get(attributes(node)["to"])
    if kind is None:
        raise UnreadableError(node.op_type)
    x = reader.tensor(node.input[0])
    if kind is torch.float32 and reader.is_float(node.input[0]):
        return x
    return reader.graph.call_method("to", (x, kind))


def _argmax(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    given = attributes(node)
    if given.get("select_last_index", 0):
        raise UnreadableError(node.op_type)
    x, keep = reader.tensor(node.input[0]), bool(given.get("keepdims", 1))
    return reader.call(torch.argmax, x, given.get("axis", 0), keep)


def _global_average(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    return reader.call(torch.mean, reader.tensor(node.input[0]), [2, 3], True)


def _identity(reader: Reader, node: onnx.NodeProto) -> fx.Node:
    return reader.tensor(node.input[0])


FUNCTIONS: dict[str, Operator] = {
    "Abs": _plain(torch.abs),
    "And": _plain(torch.logical_and),
    "ArgMax": _argmax,
    "Cast": _cast,
    "Clip": _clip,
    "Cos": _plain(torch.cos),
    "Div": _plain(torch.div),
    "Dropout": _identity,
    "Elu": _with(functional.elu, alpha=("alpha", 1.0)),
    "Equal": _plain(torch.eq),
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Floor": _plain(torch.floor),
    "GlobalAveragePool": _global_average,
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain(functional.hardswish),
    "Identity": _identity,
    "LeakyRelu": _with(functional.leaky_relu, negative_slope=("alpha", 0.01)),
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    "Log": _plain(torch.log),
    "LogSoftmax": _softmax(torch.log_softmax),
    "Max": _folded(torch.maximum),
    "Min": _folded(torch.minimum),
    "Mul": _multiply,
    "Neg": _plain(torch.neg),
    "Not": _plain(torch.logical_not),
    "Pow": _plain(torch.pow),
    "Reciprocal": _plain(torch.reciprocal),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, dim=axes, keepdim=keep)),
    "ReduceLogSumExp": _reduce(torch.logsumexp),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: torch.sum(x * x, axes, keep)),
    "Relu": _plain(functional.relu),
    "Sigmoid": _plain(torch.sigmoid),
    "Sin": _plain(torch.sin),
    "Softmax": _softmax(torch.softmax),
    "Softplus": _plain(functional.softplus),
    "Sqrt": _sqrt,
    "Sub": _plain(torch.sub),
    "Sum": _folded(torch.add),
    "Tanh": _plain(torch.tanh),
    "Where": _plain(torch.where),
}
