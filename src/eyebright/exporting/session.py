"""ONNX Runtime as the runtime of an export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.graph import OUTPUT
from eyebright.types import FloatArray, UInt8Array


class OnnxSession:
    """An ONNX file that answers one image a call.

    Args:
        model: the file, or its bytes.
        threads: of one call.
        input_name: of the graph's input.
        prepare: an RGB image (H, W, 3) as a batch of one, as the input takes it.
    """

    def __init__(
        self, model: Path | bytes, threads: int, input_name: str, prepare: Callable[[UInt8Array], Any]
    ) -> None:
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        given = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        self._input = input_name
        self._prepare = prepare

    def answer(self, image: UInt8Array) -> FloatArray:
        """Probabilities (K,) of one RGB image (H, W, 3)."""
        probabilities: FloatArray = self._session.run([OUTPUT], {self._input: self._prepare(image)})[0][0]
        return probabilities
