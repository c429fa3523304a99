"""ONNX Runtime: present in every installation, in float32."""

from __future__ import annotations

from eyebright.engines.base import Precision
from eyebright.runtime.machine import usable_cores
from eyebright.runtime.onnx_session import open_session
from eyebright.types import FloatArray, UInt8Array


class OnnxRuntimeEngine:
    """Runs a graph with ONNX Runtime's CPU provider.

    Args:
        graph: serialized ONNX with one input uint8 (B, S, S, 3) and one output float32 (B, D).
    """

    name = "onnxruntime float32"
    precision: Precision = "float32"

    def __init__(self, graph: bytes) -> None:
        self.callers = usable_cores()  # inference runs in the caller's own thread
        self._session = open_session(graph, threads=1)
        self._input = self._session.get_inputs()[0].name

    def run(self, image: UInt8Array) -> FloatArray:
        """Return the graph's output (D,) for one image (S, S, 3)."""
        features: FloatArray = self._session.run(None, {self._input: image[None]})[0][0]
        return features
