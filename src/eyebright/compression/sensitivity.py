"""How far compression moves the answers, and which layers are to blame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx

from eyebright.compression.calibration import answers
from eyebright.types import FloatArray, UInt8Array

_MOST_GROUPS = 40


def probabilities(graph: onnx.ModelProto, squares: UInt8Array, threads: int) -> FloatArray:
    """Probabilities (N, K) of a graph on squares (N, S, S, 3)."""
    return np.stack([row[0] for (row,) in answers(graph, squares, threads)])


def moved(before: FloatArray, after: FloatArray) -> float:
    """The mean change of a probability."""
    return float(np.abs(after - before).mean())


def groups(layers: Sequence[str]) -> list[tuple[str, ...]]:
    """Layers one by one, or neighbours together where there are many."""
    several = -(-len(layers) // _MOST_GROUPS)
    return [tuple(layers[i : i + several]) for i in range(0, len(layers), several)]


def blame(
    alone: Callable[[Sequence[str]], onnx.ModelProto],
    candidates: Sequence[Sequence[str]],
    squares: UInt8Array,
    before: FloatArray,
    threads: int,
    on_group: Callable[[], None],
) -> list[float]:
    """How far each group of layers moves the answers when it alone is compressed.

    Args:
        alone: compresses these layers and no others; gives the graph on squares.
        candidates: the groups.
        squares: (N, S, S, 3), not those of the calibration.
        before: the uncompressed answers (N, K).
        threads: of a session.
        on_group: is called after each.
    """
    found = []
    for layers in candidates:
        found.append(moved(before, probabilities(alone(layers), squares, threads)))
        on_group()
    return found
