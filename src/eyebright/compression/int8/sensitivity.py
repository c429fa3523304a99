"""How far compression moves the answers, and which layers are to blame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from eyebright.compression.int8.calibration import answers
from eyebright.types import FloatArray, UInt8Array

_MOST_GROUPS = 40


def probabilities(graph: onnx.ModelProto, squares: UInt8Array, threads: int) -> FloatArray:
    """Probabilities (N, K) of a graph on squares (N, S, S, 3)."""
    return np.stack([row[0] for (row,) in answers(graph, squares, threads)])


def moved(before: FloatArray, after: FloatArray) -> float:
    """The mean change of a probability."""
    return float(np.abs(after - before).mean())


def scattered(before: FloatArray, after: FloatArray) -> float:
    """How far logits (N, K) moved, less what moved all images alike: that the head's bias takes back."""
    change = after - before
    return float(np.abs(change - change.mean(axis=0)).mean())


def groups(layers: Sequence[str]) -> list[tuple[str, ...]]:
    """Layers one by one, or neighbours together where there are many."""
    several = -(-len(layers) // _MOST_GROUPS)
    return [tuple(layers[i : i + several]) for i in range(0, len(layers), several)]
