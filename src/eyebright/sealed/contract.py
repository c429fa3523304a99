"""What a sealed model's graph must be, checked before anything of it runs, and what it must answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto

from eyebright.errors import ModelError
from eyebright.sealed.graph import ANSWER, INPUT, OUTPUT, TEXT_OUTPUT, TEXTS, TOKENS, UNKNOWN
from eyebright.types import FloatArray

# A loop may never end: no sealed graph has one.
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
_ROUNDING = 1e-3


def check_contract(model: onnx.ModelProto, classes: int, multilabel: bool) -> None:
    """Check inputs, outputs and operators of a sealed graph with ``classes`` classes.

    Raises:
        ValueError: it is none; one line says why.
    """
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    outputs = {value.name: value for value in graph.output}
    if [value.name for value in inputs if value.name not in (TEXTS, *TOKENS)] != [INPUT] or not _is(
        inputs[0], TensorProto.UINT8, (0, 0, 0, 3)
    ):
        raise ValueError(f"its input is not {INPUT}, uint8 (B, H, W, 3)")
    if OUTPUT not in outputs or not _is(outputs[OUTPUT], TensorProto.FLOAT, (0, classes)):
        raise ValueError(f"its output is not {OUTPUT}, float32 (B, {classes})")
    texts = {value.name: value for value in graph.input if value.name in (TEXTS, *TOKENS)}
    if TEXTS in texts and not _is(texts[TEXTS], TensorProto.STRING, (0,)):
        raise ValueError(f"its input {TEXTS} is not string (B,)")
    if any(name in texts and not _is(texts[name], TensorProto.INT64, (0, 0)) for name in TOKENS):
        raise ValueError(f"its inputs {' and '.join(TOKENS)} are not int64 (B, L)")
    if lacking := texts.keys() - weights:
        raise ValueError(f"its input {min(lacking)} has no default")
    if set(texts) not in (set(), {TEXTS}, set(TOKENS)) or (TEXT_OUTPUT in outputs) != bool(texts):
        raise ValueError(f"its inputs of texts and its output {TEXT_OUTPUT} do not go together")
    if TEXT_OUTPUT in outputs and not _is(outputs[TEXT_OUTPUT], TensorProto.FLOAT, (0, classes)):
        raise ValueError(f"its output {TEXT_OUTPUT} is not float32 (B, {classes})")
    if UNKNOWN in outputs and not _is(outputs[UNKNOWN], TensorProto.FLOAT, (0,)):
        raise ValueError(f"its output {UNKNOWN} is not float32 (B,)")
    per_image = (0, classes) if multilabel else (0,)
    if ANSWER in outputs and not _is(outputs[ANSWER], TensorProto.INT64, per_image):
        raise ValueError(f"its output {ANSWER} is not int64, a number for each image or label")
    if found := _CONTROL_FLOW & {node.op_type for node in graph.node}:
        raise ValueError(f"its graph branches or loops ({min(found)})")
    if model.functions:
        raise ValueError("its graph has functions of its own")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(graph)):
        raise ValueError("its weights are in another file")


def check_probabilities(probabilities: FloatArray, images: int, classes: int) -> None:
    """Check that a graph answered with probabilities (B, K).

    Raises:
        ModelError: it did not.
    """
    reason = None
    if probabilities.shape != (images, classes):
        reason = f"an output of shape {probabilities.shape}"
    elif not np.all((probabilities >= -_ROUNDING) & (probabilities <= 1 + _ROUNDING)):  # NaN is neither
        reason = "values below 0, above 1, or NaN"
    if reason is not None:
        raise ModelError(
            "A model must predict probabilities (B, K). It gave {found}. Restore the file from a copy, or "
            "train again.",
            found=reason,
        )


def _is(value: onnx.ValueInfoProto, element: int, sizes: Sequence[int]) -> bool:
    """Return whether a value has this element type and these sizes; 0 stands for a free one."""
    kind = value.type.tensor_type
    found = [dim.dim_value for dim in kind.shape.dim]
    return kind.elem_type == element and found == list(sizes)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    yield from (attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t"))
