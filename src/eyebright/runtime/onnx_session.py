"""Sessions of ONNX Runtime on the CPU, all set up alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyebright.runtime.telemetry import load_onnxruntime

if TYPE_CHECKING:
    import onnx

_ERRORS_ONLY = 3


def open_session(model: Path | bytes | onnx.ModelProto, threads: int | None = 1, **settings: object) -> Any:
    """Open a session that logs errors only.

    Args:
        model: an ONNX file, a serialized graph, or a graph.
        threads: for one call; None leaves the number to ONNX Runtime.
        **settings: further attributes of `onnxruntime.SessionOptions`.

    Returns:
        An `onnxruntime.InferenceSession`.
    """
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    if threads is not None:
        options.intra_op_num_threads = threads
    for name, value in settings.items():
        setattr(options, name, value)
    if isinstance(model, Path):
        given: str | bytes = str(model)
    else:
        given = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
