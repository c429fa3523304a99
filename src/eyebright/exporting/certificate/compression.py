"""What compression brought: kernels that run in integers, and size and speed on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from eyebright.compression.graph.integer_pooling import MEANS
from eyebright.compression.int8.kernels import Kernels, onnx_kernels
from eyebright.exporting.base import ExportSource, Format
from eyebright.exporting.certificate.certificate import Certificate, Reason
from eyebright.exporting.formats.offline_page import OfflinePage
from eyebright.exporting.formats.openvino_ir import FILE, OpenVino, compiled
from eyebright.sealed.graph import INPUT

_LAYERS = {"Convolution", "GroupConvolution", "FullyConnected", "MatMul"}


def kernels(target: Format, source: ExportSource, folder: Path) -> Kernels:
    """Count the convolutions and matrix products that run in integers.

    OpenVINO reports this for its own file. For all other formats the graph is profiled in ONNX Runtime: it is
    the same graph, and their runtimes have no such profile.
    """
    if isinstance(target, OpenVino):
        return Kernels.of(_openvino_layers(folder / FILE, source.size), "OpenVINO")
    return onnx_kernels(source.graph, source.size)


def _openvino_layers(path: Path, size: int) -> Iterator[tuple[bool, float]]:
    """Yield for each layer whether it ran in integers, by the end of its kernel's name, and its seconds."""
    request = compiled(path, 1, PERF_COUNT="YES").create_infer_request()
    request.infer({INPUT: np.zeros((1, size, size, 3), np.uint8)})
    for layer in request.get_profiling_info():
        if MEANS in layer.node_name:
            continue
        if layer.node_type in _LAYERS and layer.real_time.total_seconds() > 0:
            yield layer.exec_type.lower().endswith(("i8", "u8")), layer.real_time.total_seconds()


def original_bytes(target: Format, source: ExportSource) -> int:
    """Return the size to compare a compressed export with: of the sealed model, or of its offline page."""
    if not isinstance(target, OfflinePage):
        return source.model.path.stat().st_size
    whole = replace(source, graph=onnx.load(source.model.path), precision="fp32")
    return len(target.text(whole).encode())


def speedup(certificate: Certificate, original_bytes: int) -> Reason:
    """Say whether a compressed export is smaller and faster than its original on this machine.

    Args:
        certificate: of the export.
        original_bytes: of :func:`original_bytes`.
    """
    speed = certificate.speed
    values = {
        "megabytes": f"{certificate.size_bytes / 1e6:.2f}",
        "megabytes_before": f"{original_bytes / 1e6:.2f}",
        "milliseconds": f"{speed.latency_ms:.1f}",
        "milliseconds_before": f"{speed.latency_original_ms:.1f}",
    }
    smaller = certificate.size_bytes < original_bytes
    faster = speed.latency_ms < speed.latency_original_ms
    if smaller and faster:
        return Reason(
            "Smaller and faster on this machine: {megabytes} MB (original: {megabytes_before} MB), "
            "and {milliseconds} ms per image on one thread (original: {milliseconds_before} ms).",
            values,
        )
    if smaller:
        return Reason(
            "Smaller, but NOT faster on this machine: {megabytes} MB (original: {megabytes_before} "
            "MB), and {milliseconds} ms per image on one thread (original: {milliseconds_before} ms).",
            values,
        )
    if faster:
        return Reason(
            "Faster on this machine, but not smaller: {megabytes} MB (original {megabytes_before} "
            "MB), {milliseconds} ms per image on one thread (original {milliseconds_before} ms).",
            values,
        )
    return Reason(
        "NEITHER smaller NOR faster on this machine: {megabytes} MB (original: {megabytes_before} "
        "MB), and {milliseconds} ms per image on one thread (original: {milliseconds_before} ms).",
        values,
    )
