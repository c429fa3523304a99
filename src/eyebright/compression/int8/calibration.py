"""What values the network's activations take on the user's images, and the ranges that eight bits cover."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.network import Network, input_range, looking
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.subgraphs import SQUARES
from eyebright.types import FloatArray, UInt8Array

Range = tuple[float, float]
Counts = npt.NDArray[np.int64]
Method = Literal["minmax", "percentile", "error"]

_BINS = 2048
_PERCENTILE = 99.99
_SHARES = np.linspace(0.3, 1, 71)
_STEPS = 255  # of eight bits
_ROW = numpy_helper.from_array(np.array([-1], np.int64), "one_row")


@dataclass(frozen=True)
class Squares:
    """Training images, resized to the network's input as the sealed graph does it.

    Attributes:
        calibration: (N, S, S, 3), from which ranges and corrections are computed.
        held_out: (M, S, S, 3) others, on which choices are compared.
    """

    calibration: UInt8Array
    held_out: UInt8Array


def session(graph: onnx.ModelProto, threads: int) -> Any:
    """An ONNX Runtime session that says nothing."""
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def answers(graph: onnx.ModelProto, squares: UInt8Array, threads: int) -> Iterator[list[FloatArray]]:
    """A graph's outputs for squares (N, S, S, 3) of grey levels, one image at a time."""
    running = session(graph, threads)
    for square in squares:
        pixels = np.ascontiguousarray(square.transpose(2, 0, 1)[None], dtype=np.float32)
        yield running.run(None, {SQUARES: pixels})


@dataclass
class Activations:
    """Statistics of the network's activations.

    Attributes:
        lows, highs: of each value over all images.
        histograms: of each value, in equal bins between the two; empty until they are asked for.
    """

    lows: dict[str, float]
    highs: dict[str, float]
    histograms: dict[str, Counts] = field(default_factory=dict)

    def ranges(self, method: Method) -> dict[str, Range]:
        """The range of each value: all that was seen, all but 0.01 %, or where the squared error is least.

        All but the first need :func:`count`.
        """
        widest = {name: (self.lows[name], self.highs[name]) for name in self.lows}
        if method == "minmax":
            return widest
        choose = _percentile if method == "percentile" else _least_error
        return widest | {name: choose(counts, *widest[name]) for name, counts in self.histograms.items()}


def observe(
    network: Network, squares: UInt8Array, threads: int, on_image: Callable[[], None] = lambda: None
) -> Activations:
    """Finds the smallest and largest of each activation over the squares (N, S, S, 3).

    The input's range is not observed but known: what grey levels from 0 to 255 become.
    """
    values = _values(network)
    rows = [_flat(value) for value in values]
    reduced = [
        helper.make_node(kind, [row.output[0]], [f"{row.output[0]}_{kind}"], name=f"{row.output[0]}_{kind}")
        for row in rows
        for kind in ("ReduceMin", "ReduceMax")
    ]
    graph = looking(network.graph, network.size, reduced, [_ROW], rows)
    lows = np.full(len(values), np.inf)
    highs = np.full(len(values), -np.inf)
    for found in answers(graph, squares, threads):
        row = np.concatenate(found).reshape(-1, 2)
        lows, highs = np.minimum(lows, row[:, 0]), np.maximum(highs, row[:, 1])
        on_image()
    pixels, (low, high) = input_range(network)
    extremes = Activations(
        dict(zip(values, map(float, lows), strict=True)), dict(zip(values, map(float, highs), strict=True))
    )
    extremes.lows[pixels], extremes.highs[pixels] = low, high
    return extremes


def count(network: Network, found: Activations, squares: UInt8Array, threads: int) -> None:
    """Adds histograms of the activations on the squares (N, S, S, 3) to ``found``."""
    names = [name for name in _values(network) if found.highs[name] > found.lows[name]]
    histograms: dict[str, Counts] = {name: np.zeros(_BINS, np.int64) for name in names}
    scales = {name: _BINS / (found.highs[name] - found.lows[name]) for name in names}
    graph = looking(network.graph, network.size, [_flat(name) for name in names], [_ROW])
    for values in answers(graph, squares, threads):
        for name, value in zip(names, values, strict=True):
            places = ((value.ravel() - found.lows[name]) * scales[name]).astype(np.int64)
            histograms[name] += np.bincount(places.clip(0, _BINS - 1), minlength=_BINS)
    pixels, _ = input_range(network)
    found.histograms.update((name, counts) for name, counts in histograms.items() if name != pixels)


def _values(network: Network) -> list[str]:
    """The float values that the network's nodes read and write."""
    pixels, _ = input_range(network)
    inferred = onnx.shape_inference.infer_shapes(network.squares(), data_prop=True)
    floats = {
        info.name
        for info in inferred.graph.value_info
        if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    written = [value for node in network.members for value in node.output]
    return [pixels, *(value for value in written if value in floats and value != pixels)]


def _flat(value: str) -> onnx.NodeProto:
    """All of a value in one row."""
    return helper.make_node("Reshape", [value, _ROW.name], [f"{value}_row"], name=f"{value}_row")


def _percentile(counts: Counts, low: float, high: float) -> Range:
    share = np.cumsum(counts) / counts.sum()
    edges = np.linspace(low, high, len(counts) + 1)
    rest = (1 - _PERCENTILE / 100) / 2
    first, last = np.searchsorted(share, (rest, 1 - rest))
    return float(min(edges[first], 0)), float(max(edges[last + 1], 0))


def _least_error(counts: Counts, low: float, high: float) -> Range:
    """Where rounding inside and clipping outside of the range together cost least."""
    edges = np.linspace(low, high, len(counts) + 1)
    centres = (edges[:-1] + edges[1:]) / 2

    def error(bottom: float, top: float) -> float:
        outside = np.clip(centres, bottom, top) - centres
        step = (top - bottom) / _STEPS
        return float((counts * np.where(outside == 0, step * step / 12, outside * outside)).sum())

    low, high = min(low, 0.0), max(high, 0.0)
    for _ in range(2):
        high = min((high * share for share in _SHARES), key=lambda top: error(low, top))
        low = min((low * share for share in _SHARES), key=lambda bottom: error(bottom, high))
    return low, high
