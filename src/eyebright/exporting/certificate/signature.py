"""The inputs and outputs of a model file, read from the file itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx

from eyebright.errors import ModelError
from eyebright.exporting.formats.html_page import embedded_model
from eyebright.onnx_graph.stored import parse_onnx, read_onnx
from eyebright.runtime.stored import open_regular, read_stored, reason_of
from eyebright.runtime.telemetry import openvino_core


@dataclass(frozen=True)
class Tensor:
    """An input or an output.

    Attributes:
        name: in the graph.
        type: of an element, as numpy calls it.
        shape: sizes; a letter, or ``?``, where any will do.
    """

    name: str
    type: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name}  {self.type} ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True)
class Signature:
    """All inputs and outputs of a graph, in order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def signature(path: Path) -> Signature | None:
    """Read an ONNX file or an OpenVINO model; None for formats that need a runtime of their own."""
    readable = path.suffix == ".onnx" or (path.suffix == ".xml" and find_spec("openvino") is not None)
    return stored_facts(path)[1] if readable else None


def stored_facts(path: Path) -> tuple[dict[str, str], Signature]:
    """Return the metadata of an ONNX file, OpenVINO model or offline page, and its inputs and outputs.

    Raises:
        ValueError: it is none of them.
    """
    if path.suffix == ".xml":
        return _from_openvino(path)
    return _from_page(path) if path.suffix == ".html" else _from_onnx(path)


def onnx_signature(model: onnx.ModelProto) -> Signature:
    """Return the signature of an ONNX graph; weights that are listed as inputs do not count."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    return Signature(_onnx(inputs), _onnx(model.graph.output))


def _from_onnx(path: Path) -> tuple[dict[str, str], Signature]:
    try:
        return _facts(read_onnx(path))
    except OSError as error:
        raise ValueError(reason_of(error)) from error


def _facts(model: onnx.ModelProto) -> tuple[dict[str, str], Signature]:
    return {entry.key: entry.value for entry in model.metadata_props}, onnx_signature(model)


def _from_page(path: Path) -> tuple[dict[str, str], Signature]:
    try:
        return _facts(parse_onnx(embedded_model(read_stored(path).decode("utf-8"))))
    except (OSError, ModelError) as error:
        raise ValueError(reason_of(error)) from error


def _from_openvino(path: Path) -> tuple[dict[str, str], Signature]:
    weights = path.with_suffix(".bin")
    try:
        for file in (path, weights):
            open_regular(file).close()  # OpenVINO would wait for a pipe
        model = openvino_core().read_model(path)
    except (OSError, RuntimeError) as error:
        raise ValueError(reason_of(error)) from error
    facts: dict[str, str] = {}
    if model.has_rt_info("eyebright"):
        facts = {key: str(value) for key, value in model.get_rt_info("eyebright").value.items()}
    return facts, Signature(_openvino(model.inputs), _openvino(model.outputs))


def with_sizes(sentence: str, size: int | None, classes: int) -> str:
    """Return a format's sentence on its input and output, with numbers for S and K as far as known."""
    numbers = {"S": str(size or "S"), "K": str(classes or "K")}
    return re.sub(r"\b[SK]\b", lambda found: numbers[found[0]], sentence)


def _onnx(values: Sequence[onnx.ValueInfoProto]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            value.name,
            _type_name(value.type.tensor_type.elem_type),
            tuple(
                d.dim_value if d.HasField("dim_value") else d.dim_param or "?"
                for d in value.type.tensor_type.shape.dim
            ),
        )
        for value in values
    )


def _type_name(element: int) -> str:
    try:
        return onnx.helper.tensor_dtype_to_np_dtype(element).name
    except (KeyError, ValueError):
        raise ValueError(f"it has a value of the unknown type {element}") from None


def _openvino(ports: Sequence[Any]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            port.any_name,
            port.element_type.to_dtype().name,
            tuple(d.get_length() if d.is_static else "?" for d in port.partial_shape),
        )
        for port in ports
    )
