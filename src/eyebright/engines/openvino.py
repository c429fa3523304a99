"""OpenVINO: the faster engine on most x86 and ARM processors, in one precision or two; and Intel's GPUs."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import numpy as np

from eyebright.engines.base import Precision
from eyebright.engines.openvino_mixed import first_in_float32
from eyebright.runtime.machine import usable_cores
from eyebright.runtime.telemetry import openvino_core
from eyebright.types import FloatArray, UInt8Array


class OpenVinoEngine:
    """Runs a graph with OpenVINO, on the processor with one stream a core.

    Inference runs in threads of the plugin's own, while the caller waits. With a caller and a request more
    than cores, an image stands ready for the core that has just finished one.

    Requests and their tensors are made here, by one thread: made by several at once, OpenVINO 2026.4 may wait
    for Python's lock while it holds one of its own, for ever.

    Args:
        graph: serialized ONNX with one input uint8 (B, S, S, 3) and one output float32 (B, D).
        precision: "bfloat16" and "mixed" are honoured only where :func:`has_bfloat16`.
        device: "CPU", or "GPU" of Intel.
    """

    def __init__(self, graph: bytes, precision: Precision, device: str = "CPU") -> None:
        core = openvino_core()
        model = core.read_model(graph)
        side = model.input(0).partial_shape[1].get_length()
        model.reshape([1, side, side, 3])
        if precision == "mixed":
            model = first_in_float32(model)
        # Left alone, the plugin silently takes bfloat16 where the processor has it.
        hints = {"INFERENCE_PRECISION_HINT": "f32" if precision == "float32" else "bf16"}
        if device == "CPU":
            hints |= {"NUM_STREAMS": str(usable_cores()), "INFERENCE_NUM_THREADS": str(usable_cores())}
        self._compiled = core.compile_model(model, device, hints)
        self._free: SimpleQueue[tuple[Any, UInt8Array, FloatArray]] = SimpleQueue()
        self.callers = usable_cores() + 1
        for _ in range(self.callers):
            request = self._compiled.create_infer_request()
            request.infer()
            image, features = request.get_input_tensor(0).data, request.get_output_tensor(0).data
            self._free.put((request, image, features))
        self.name = f"openvino{'' if device == 'CPU' else '-' + device.lower()} {precision}"
        self.precision = precision

    def run(self, image: UInt8Array) -> FloatArray:
        """Return the graph's output (D,) for one image (S, S, 3)."""
        request, pixels, features = self._free.get()
        try:
            np.copyto(pixels[0], image)
            request.infer()
            answer: FloatArray = features[0].copy()
            return answer
        finally:
            self._free.put((request, pixels, features))


def has_bfloat16() -> bool:
    """Return whether OpenVINO runs bfloat16 natively on this processor."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
