"""Engines on a GPU: which there are, found without importing what is slow to import."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eyebright.engines.base import Engine, Precision, installed
from eyebright.engines.batches import Batches
from eyebright.runtime.machine import usable_cores
from eyebright.runtime.onnx_session import NOTHING
from eyebright.runtime.telemetry import load_onnxruntime, openvino_core
from eyebright.types import FloatArray, UInt8Array

# What the drivers of NVIDIA put there on Linux, in WSL and on Windows.
_NVIDIA = ("/dev/nvidiactl", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")
_BATCH = 32
_CUDA = "CUDAExecutionProvider"


def gpu_makers() -> dict[str, Callable[[bytes], Engine]]:
    """Return the engines on this machine's GPUs, by name."""
    found: dict[str, Callable[[bytes], Engine]] = {}
    nvidia = any(Path(path).exists() for path in _NVIDIA)
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    if (nvidia or apple) and installed("torch"):
        found |= _of_pytorch()
    if nvidia and _CUDA in load_onnxruntime().get_available_providers():
        found["onnxruntime-cuda float32"] = OnnxRuntimeCudaEngine
    if installed("openvino") and any(name.startswith("GPU") for name in openvino_core().available_devices):
        found["openvino-gpu float32"] = _on_intel
    return found


def _of_pytorch() -> dict[str, Callable[[bytes], Engine]]:
    from eyebright.engines.pytorch import PyTorchEngine, gpu

    device = gpu()
    if device is None:  # the driver is there, and PyTorch cannot use it
        return {}
    precisions: tuple[Precision, ...] = ("float32", "bfloat16", "float16")

    def maker(precision: Precision) -> Callable[[bytes], Engine]:
        return lambda graph: PyTorchEngine(graph, device, precision)

    return {f"pytorch-{device} {precision}": maker(precision) for precision in precisions}


def _on_intel(graph: bytes) -> Engine:
    from eyebright.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(graph, "float32", "GPU")


class OnnxRuntimeCudaEngine:
    """Runs a graph with ONNX Runtime's CUDA provider, where the user has installed onnxruntime-gpu.

    Args:
        graph: serialized ONNX with one input uint8 (B, S, S, 3) and one output float32 (B, D).

    Raises:
        RuntimeError: the provider is listed, and a session falls back to the processor all the same.
    """

    name = "onnxruntime-cuda float32"
    precision: Precision = "float32"

    def __init__(self, graph: bytes) -> None:
        onnxruntime: Any = load_onnxruntime()
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # or those from wheels are not found, and the processor works
        options = onnxruntime.SessionOptions()
        options.log_severity_level = NOTHING
        settings = {
            "cudnn_conv_algo_search": "HEURISTIC",
            "arena_extend_strategy": "kSameAsRequested",
            "use_tf32": "0",
        }
        session = onnxruntime.InferenceSession(graph, options, providers=[(_CUDA, settings)])
        if session.get_providers()[0] != _CUDA:
            raise RuntimeError("its session fell back to the processor")
        name = session.get_inputs()[0].name

        def run(images: UInt8Array) -> FloatArray:
            features: FloatArray = session.run(None, {name: images})[0]
            return features

        self.callers = usable_cores() + 2 * _BATCH
        self._batches = Batches(run, _BATCH)

    def run(self, image: UInt8Array) -> FloatArray:
        """Return the graph's output (D,) for one image (S, S, 3)."""
        return self._batches.features(image)
