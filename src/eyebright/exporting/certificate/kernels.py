"""Which kernels an export really runs, by the profile of its own runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eyebright.compression.graph.integer_pooling import MEANS
from eyebright.compression.int8.kernels import Kernels, onnx_kernels
from eyebright.exporting.base import Format, Source
from eyebright.exporting.formats.openvino_ir import FILE, OpenVino, compiled
from eyebright.sealed.graph import INPUT

_LAYERS = {"Convolution", "GroupConvolution", "FullyConnected", "MatMul"}


def kernels(target: Format, source: Source, folder: Path) -> Kernels:
    """Counts the convolutions and matrix products that run in integers.

    OpenVINO tells it of its own file. For all other formats the graph is profiled in ONNX Runtime: it is the
    same graph, and their runtimes have no such profile.
    """
    if isinstance(target, OpenVino):
        return Kernels.of(_openvino_layers(folder / FILE, source.size), "OpenVINO")
    return onnx_kernels(source.graph, source.size)


def _openvino_layers(path: Path, size: int) -> Iterator[tuple[bool, float]]:
    """Whether each layer ran in integers, and its seconds; the name of a kernel ends with its precision."""
    request = compiled(path, 1, PERF_COUNT="YES").create_infer_request()
    request.infer({INPUT: np.zeros((1, size, size, 3), np.uint8)})
    for layer in request.get_profiling_info():
        if MEANS in layer.node_name:
            continue
        if layer.node_type in _LAYERS and layer.real_time.total_seconds() > 0:
            yield layer.exec_type.lower().endswith(("i8", "u8")), layer.real_time.total_seconds()
