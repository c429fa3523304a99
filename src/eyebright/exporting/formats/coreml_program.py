"""Computes what a Core ML file says, operator by operator: Core ML itself runs on macOS only.

Constants and program come from the file, so a wrong conversion or a destroyed weight shows. What does not is
how a device's own kernels round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from eyebright.exporting.base import UnsupportedError

Given = Mapping[str, Any]


class Program:
    """The program of an `.mlpackage`, from one tensor to one.

    Args:
        model: an `MLModel` of coremltools, loaded from the package.

    Raises:
        UnsupportedError: an operator cannot be computed here.
    """

    def __init__(self, model: Any) -> None:
        from coremltools.converters.mil.frontend.milproto.load import load

        spec = model.get_spec()
        program = load(spec, spec.specificationVersion, file_weights_dir=model.weights_dir)
        main = program.functions["main"]
        self._steps = [operation for operation in main.operations if operation.op_type != "const"]
        self._input = next(iter(main.inputs))
        self._output = main.outputs[0].name
        self._constants: dict[str, Tensor] = {}
        for step in self._steps:
            if step.op_type not in _OPERATORS:
                raise UnsupportedError(
                    "A Core ML export must be compared with the original model before it is written. "
                    "{operator} can only be computed on macOS. Export on macOS, or use onnx, "
                    "openvino or executorch.",
                    operator=step.op_type,
                )

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return the program's answer."""
        values: dict[str, Tensor] = {self._input: pixels}
        for step in self._steps:
            given = {name: self._value(variable, values) for name, variable in step.inputs.items()}
            values[step.outputs[0].name] = _OPERATORS[step.op_type](given)
        return values[self._output]

    def _value(self, variable: Any, values: Mapping[str, Tensor]) -> Any:
        if isinstance(variable, (tuple, list)):
            return [self._value(one, values) for one in variable]
        if variable.name in values:
            return values[variable.name]
        constant = variable.val
        if not isinstance(constant, np.ndarray) or constant.dtype.kind != "f":
            return constant.tolist() if isinstance(constant, (np.ndarray, np.generic)) else constant
        if variable.name not in self._constants:
            self._constants[variable.name] = torch.from_numpy(np.array(constant))
        return self._constants[variable.name]


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Given], Tensor]:
    def compute(given: Given) -> Tensor:
        x, y = (torch.as_tensor(given[name]) for name in ("x", "y"))
        # A scalar has the precision of what it is combined with.
        kind = x.dtype if x.ndim or not y.ndim else y.dtype
        return function(x.to(kind), y.to(kind))

    return compute


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Given], Tensor]:
    return lambda given: function(given["x"])


def _reduce(function: Callable[[Tensor, list[int], bool], Tensor]) -> Callable[[Given], Tensor]:
    return lambda given: function(given["x"], given["axes"], given["keep_dims"])


def _padded(given: Given, value: float = 0.0) -> Tensor:
    """Return the input with the padding of a convolution or pool: begin and end of each axis in turn."""
    pads = given.get("pad") if given.get("pad_type") == "custom" else None
    x: Tensor = given["x"]
    return functional.pad(x, _around(pads), value=value) if pads and any(pads) else x


def _around(pads: Sequence[int]) -> list[int]:
    pairs = [pads[i : i + 2] for i in range(0, len(pads), 2)]
    return [size for pair in reversed(pairs) for size in pair]


def _conv(given: Given) -> Tensor:
    return torch.convolution(
        _padded(given),
        given["weight"],
        given.get("bias"),
        given["strides"],
        [0] * len(given["strides"]),
        given["dilations"],
        transposed=False,
        output_padding=[0] * len(given["strides"]),
        groups=given["groups"],
    )


def _max_pool(given: Given) -> Tensor:
    lowest = float(torch.finfo(given["x"].dtype).min)
    return functional.max_pool2d(
        _padded(given, lowest),
        given["kernel_sizes"],
        given["strides"],
        ceil_mode=given.get("ceil_mode", False),
    )


def _avg_pool(given: Given) -> Tensor:
    pads: list[int] = given["pad"] if given.get("pad_type") == "custom" else [0] * 4
    return functional.avg_pool2d(
        given["x"],
        given["kernel_sizes"],
        given["strides"],
        padding=pads[::2],
        ceil_mode=given.get("ceil_mode", False),
        count_include_pad=not given.get("exclude_padding_from_average", False),
    )


def _pad(given: Given) -> Tensor:
    return functional.pad(
        given["x"], _around(given["pad"]), given.get("mode", "constant"), float(given.get("constant_val", 0))
    )


def _batch_norm(given: Given) -> Tensor:
    scale, shift, epsilon = given.get("gamma"), given.get("beta"), float(given["epsilon"])
    return functional.batch_norm(
        given["x"], given["mean"], given["variance"], scale, shift, training=False, eps=epsilon
    )


def _layer_norm(given: Given) -> Tensor:
    shape = [given["x"].shape[axis] for axis in given["axes"]]
    return functional.layer_norm(
        given["x"], shape, given.get("gamma"), given.get("beta"), float(given["epsilon"])
    )


def _matmul(given: Given) -> Tensor:
    x = given["x"].mT if given.get("transpose_x") else given["x"]
    y = given["y"].mT if given.get("transpose_y") else given["y"]
    return torch.matmul(x, y)


def _slice(given: Given) -> Tensor:
    x: Tensor = given["x"]
    none = [False] * x.ndim
    begin_mask, end_mask = given.get("begin_mask") or none, given.get("end_mask") or none
    strides, squeeze = given.get("stride") or [1] * x.ndim, given.get("squeeze_mask") or none
    places = zip(given["begin"], given["end"], strides, begin_mask, end_mask, squeeze, strict=True)
    return x[
        tuple(
            begin if squeezed else slice(None if first else begin, None if last else end, stride)
            for begin, end, stride, first, last, squeezed in places
        )
    ]


def _unsqueeze(given: Given) -> Tensor:
    x: Tensor = given["x"]
    rank = x.ndim + len(given["axes"])
    for axis in sorted(axis % rank for axis in given["axes"]):
        x = x.unsqueeze(axis)
    return x


_KINDS = {"fp16": torch.float16, "fp32": torch.float32, "int32": torch.int32, "bool": torch.bool}

_OPERATORS: dict[str, Callable[[Given], Tensor]] = {
    "add": _binary(torch.add),
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "cast": lambda given: given["x"].to(_KINDS[given["dtype"]]),
    "clip": lambda given: given["x"].clamp(float(given["alpha"]), float(given["beta"])),
    "concat": lambda given: torch.cat(given["values"], given["axis"]),
    "conv": _conv,
    "erf": _unary(torch.erf),
    "exp": _unary(torch.exp),
    "expand_dims": _unsqueeze,
    "gelu": _unary(functional.gelu),
    "layer_norm": _layer_norm,
    "leaky_relu": lambda given: functional.leaky_relu(given["x"], float(given["alpha"])),
    "linear": lambda given: functional.linear(given["x"], given["weight"], given.get("bias")),
    "matmul": _matmul,
    "max_pool": _max_pool,
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mul": _binary(torch.mul),
    "pad": _pad,
    "pow": _binary(torch.pow),
    "real_div": _binary(torch.div),
    "reduce_max": _reduce(lambda x, axes, keep: x.amax(axes, keep)),
    "reduce_mean": _reduce(lambda x, axes, keep: x.mean(axes, keep)),
    "reduce_sum": _reduce(lambda x, axes, keep: x.sum(axes, keep)),
    "relu": _unary(functional.relu),
    "relu6": _unary(functional.relu6),
    "reshape": lambda given: given["x"].reshape(given["shape"]),
    "sigmoid": _unary(torch.sigmoid),
    "sigmoid_hard": lambda given: (given["x"] * float(given["alpha"]) + float(given["beta"])).clamp(0, 1),
    "silu": _unary(functional.silu),
    "slice_by_index": _slice,
    "softmax": lambda given: given["x"].softmax(given["axis"]),
    "sqrt": _unary(torch.sqrt),
    "squeeze": lambda given: given["x"].squeeze(tuple(given["axes"])),
    "sub": _binary(torch.sub),
    "tanh": _unary(torch.tanh),
    "thresholded_relu": lambda given: functional.threshold(given["x"], float(given["alpha"]), 0),
    "transpose": lambda given: given["x"].permute(given["perm"]),
}


def read_package(path: Path) -> Any:
    """Return an `.mlpackage`, read but not compiled."""
    import coremltools

    return coremltools.models.MLModel(str(path), skip_model_load=True)
