"""Which kernels a quantised graph really runs, by ONNX Runtime's own profile of a session."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from eyebright.compression.graph.integer_pooling import MEANS
from eyebright.runtime.onnx_session import open_session
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.graph import INPUT, OUTPUT

_INTEGER = {
    *("QLinearConv", "ConvInteger", "QLinearMatMul", "QGemm", "QAttention"),
    *("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
}
_FLOAT = {
    *("Conv", "FusedConv", "NhwcFusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"),
    *("Attention", "MultiHeadAttention"),
}
_RUNS = 5


@dataclass(frozen=True)
class Kernels:
    """The convolutions and matrix products that ran.

    Attributes:
        integer_kernels, float_kernels: numbers of layers that ran in integers and in float.
        integer_share: of the time of both.
        profiled_with: the runtime.
    """

    integer_kernels: int
    float_kernels: int
    integer_share: float
    profiled_with: str

    @classmethod
    def of(cls, layers: Iterable[tuple[bool, float]], profiled_with: str) -> Kernels:
        """Summarise layers: whether each ran in integers, and its seconds."""
        found = list(layers)
        seconds = {kind: sum(time for integer, time in found if integer is kind) for kind in (True, False)}
        integers = sum(integer for integer, _ in found)
        share = seconds[True] / (sum(seconds.values()) or 1)
        return cls(integers, len(found) - integers, round(share, 4), profiled_with)


def onnx_kernels(graph: onnx.ModelProto, size: int) -> Kernels:
    """Run a sealed graph on a blank image of S × S with the profiler on, and read its profile."""
    with tempfile.TemporaryDirectory(prefix="eyebright.") as folder:
        prefix = str(Path(folder) / "profile")
        session = open_session(graph, enable_profiling=True, profile_file_prefix=prefix)
        for _ in range(_RUNS):
            session.run([OUTPUT], {INPUT: np.zeros((1, size, size, 3), np.uint8)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times: dict[str, tuple[bool, float]] = {}
    for event in events:
        kind = event.get("args", {}).get("op_name")
        if (
            event.get("cat") == "Node"
            and event["name"].endswith("_kernel_time")
            and kind in _INTEGER | _FLOAT
            and MEANS not in event["name"]
        ):
            _, before = times.get(event["name"], (False, 0.0))
            times[event["name"]] = (kind in _INTEGER, before + event["dur"] / 1e6)
    return Kernels.of(times.values(), f"ONNX Runtime {load_onnxruntime().__version__}")
