"""Ranges of the backbone's activations on the user's images, and what part of them eight bits cover."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from eyebright.compression.backbone import SealedBackbone, input_range, probe_graph
from eyebright.onnx_graph.index import GraphIndex
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.subgraphs import RESIZED
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
class CalibrationImages:
    """Training images, resized to the backbone's input as the sealed graph resizes them.

    Attributes:
        calibration: (N, S, S, 3), from which ranges and corrections are computed.
        holdout: (M, S, S, 3), other images to choose by.
    """

    calibration: UInt8Array
    holdout: UInt8Array


def run_images(graph: onnx.ModelProto, images: UInt8Array, threads: int) -> Iterator[list[FloatArray]]:
    """Yield a graph's outputs for resized images (N, S, S, 3) of grey levels, one image at a time."""
    session = open_session(graph, threads)
    for image in images:
        pixels = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
        yield session.run(None, {RESIZED: pixels})


@dataclass
class Activations:
    """Statistics of the backbone's activations.

    Attributes:
        lows, highs: of each value over all images.
        histograms: of each value, in equal bins between the two; empty until :func:`count_histograms`.
    """

    lows: dict[str, float]
    highs: dict[str, float]
    histograms: dict[str, Counts] = field(default_factory=dict)

    def ranges(self, method: Method) -> dict[str, Range]:
        """Return the range of each value: all that occurred, all but 0.01 %, or the least squared error.

        All but the first need :func:`count_histograms`.
        """
        widest = {name: (self.lows[name], self.highs[name]) for name in self.lows}
        if method == "minmax":
            return widest
        choose = _percentile if method == "percentile" else _least_error
        return widest | {name: choose(counts, *widest[name]) for name, counts in self.histograms.items()}


def observe_ranges(
    backbone: SealedBackbone, images: UInt8Array, threads: int, on_image: Callable[[], None] = lambda: None
) -> Activations:
    """Find the smallest and largest of each activation over resized images (N, S, S, 3).

    The input's range is not observed but known: what grey levels from 0 to 255 become.
    """
    values = _values(backbone)
    rows = [_flat(value) for value in values]
    reduced = [
        helper.make_node(kind, [row.output[0]], [f"{row.output[0]}_{kind}"], name=f"{row.output[0]}_{kind}")
        for row in rows
        for kind in ("ReduceMin", "ReduceMax")
    ]
    graph = probe_graph(backbone.graph, backbone.size, reduced, [_ROW], rows)
    lows = np.full(len(values), np.inf)
    highs = np.full(len(values), -np.inf)
    for found in run_images(graph, images, threads):
        row = np.concatenate(found).reshape(-1, 2)
        lows, highs = np.minimum(lows, row[:, 0]), np.maximum(highs, row[:, 1])
        on_image()
    pixels, (low, high) = input_range(backbone)
    extremes = Activations(
        dict(zip(values, map(float, lows), strict=True)), dict(zip(values, map(float, highs), strict=True))
    )
    extremes.lows[pixels], extremes.highs[pixels] = low, high
    return extremes


def count_histograms(backbone: SealedBackbone, found: Activations, images: UInt8Array, threads: int) -> None:
    """Add histograms of the activations on resized images (N, S, S, 3) to ``found``."""
    names = [name for name in _values(backbone) if found.highs[name] > found.lows[name]]
    histograms: dict[str, Counts] = {name: np.zeros(_BINS, np.int64) for name in names}
    scales = {name: _BINS / (found.highs[name] - found.lows[name]) for name in names}
    graph = probe_graph(backbone.graph, backbone.size, [_flat(name) for name in names], [_ROW])
    for values in run_images(graph, images, threads):
        for name, value in zip(names, values, strict=True):
            places = ((value.ravel() - found.lows[name]) * scales[name]).astype(np.int64)
            histograms[name] += np.bincount(places.clip(0, _BINS - 1), minlength=_BINS)
    pixels, _ = input_range(backbone)
    found.histograms.update((name, counts) for name, counts in histograms.items() if name != pixels)


def _values(backbone: SealedBackbone) -> list[str]:
    """Return the float values that the backbone's nodes read and write."""
    pixels, _ = input_range(backbone)
    types = GraphIndex(backbone.resized_graph()).types
    floats = {name for name, kind in types.items() if kind.elem_type == onnx.TensorProto.FLOAT}
    written = [value for node in backbone.members for value in node.output]
    return [pixels, *(value for value in written if value in floats and value != pixels)]


def _flat(value: str) -> onnx.NodeProto:
    """Make a node that lays a value out in one row."""
    return helper.make_node("Reshape", [value, _ROW.name], [f"{value}_row"], name=f"{value}_row")


def _percentile(counts: Counts, low: float, high: float) -> Range:
    share = np.cumsum(counts) / counts.sum()
    edges = np.linspace(low, high, len(counts) + 1)
    rest = (1 - _PERCENTILE / 100) / 2
    first, last = np.searchsorted(share, (rest, 1 - rest))
    return float(min(edges[first], 0)), float(max(edges[last + 1], 0))


def _least_error(counts: Counts, low: float, high: float) -> Range:
    """Return the range in which rounding inside and clipping outside together cost least."""
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
