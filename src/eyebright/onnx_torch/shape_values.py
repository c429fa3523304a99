"""The values of a graph that depend on its constants and its batch size alone, computed by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from eyebright.onnx_graph.edit import copy_of, extracted
from eyebright.runtime.onnx_session import open_session

Array = NDArray[np.generic]


def settled(graph: onnx.ModelProto, batches: Sequence[int]) -> dict[str, tuple[Array, ...]]:
    """Return every value that depends on no pixel, initialisers included.

    Args:
        graph: with one input (B, ...) whose other sizes are known.
        batches: values of B to compute with.

    Returns:
        By name the value for each of ``batches``, in their order.
    """
    found: dict[str, tuple[Array, ...]] = {}
    for tensor in graph.graph.initializer:
        found[tensor.name] = (numpy_helper.to_array(tensor),) * len(batches)
    names = _independent(graph, set(found))
    if names:
        for batch in batches:
            for name, value in zip(names, _compute(graph, names, batch), strict=True):
                found[name] = (*found.get(name, ()), value)
    return found


def _independent(graph: onnx.ModelProto, known: set[str]) -> list[str]:
    """Return the outputs of nodes that read only constants and shapes, in the graph's order."""
    names: list[str] = []
    for node in graph.graph.node:
        given = {name for name in node.input if name}
        if node.op_type in ("Shape", "Size") or given <= known:
            known |= set(node.output)
            names += [name for name in node.output if name]
    return names


def _compute(graph: onnx.ModelProto, names: Sequence[str], batch: int) -> Sequence[Array]:
    whole = copy_of(graph)
    del whole.graph.value_info[:]
    whole.graph.value_info.extend(onnx.ValueInfoProto(name=name) for name in names)
    given = graph.graph.input[0]
    session = open_session(extracted(whole, [given.name], names), threads=None)
    kind = helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    shape = [size.dim_value or batch for size in given.type.tensor_type.shape.dim]
    values: Sequence[Array] = session.run(list(names), {given.name: np.zeros(shape, kind)})
    return values
