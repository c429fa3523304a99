"""Sessions of ONNX Runtime on the CPU, all set up alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyebright.errors import ImageError
from eyebright.runtime.telemetry import load_onnxruntime

if TYPE_CHECKING:
    import numpy as np
    import onnx

    from eyebright.types import FloatArray

#: The level of a log that holds nothing.
NOTHING = 4  # an error is raised, with the same words
_REASON = 200  # characters of a reason that are shown


def open_session(model: Path | bytes | onnx.ModelProto, threads: int | None = 1, **settings: object) -> Any:
    """Open a session that writes nothing to the terminal.

    Args:
        model: an ONNX file, a serialized graph, or a graph.
        threads: for one call; None leaves the number to ONNX Runtime.
        **settings: further attributes of `onnxruntime.SessionOptions`.

    Returns:
        An `onnxruntime.InferenceSession`.
    """
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = NOTHING
    if threads is not None:
        options.intra_op_num_threads = threads
    for name, value in settings.items():
        setattr(options, name, value)
    if isinstance(model, Path):
        given: str | bytes = str(model)
    else:
        given = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def run(session: Any, outputs: Sequence[str], inputs: Mapping[str, np.ndarray[Any, Any]]) -> list[FloatArray]:
    """Run a session.

    Raises:
        ImageError: the graph cannot be run on these inputs; there may not be memory enough.
    """
    try:
        found: list[FloatArray] = session.run(list(outputs), dict(inputs))
    except Exception as error:  # ONNX Runtime's own errors share no base but Exception
        raise ImageError(
            "The model must run on the image. It failed ({reason}). Downscale the image, or free memory.",
            reason=runtime_reason(error),
        ) from error
    return found


def runtime_reason(error: Exception) -> str:
    """Return what ONNX Runtime says in an error, without its own file names and codes."""
    first = (str(error) or type(error).__name__).splitlines()[0]
    return (first.rpartition("failed:")[2].strip(" .") or first)[:_REASON]
