"""The packages of the engines, loaded without the reports on their use that they send to their makers.

ONNX Runtime 1.32 for Linux collects events in the user's cache folder for its maker's server; OpenVINO 2026.4
sends one at import unless the user has opted out. Whoever trusts us with images expects neither.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any


def load_onnxruntime() -> Any:
    """Return the module onnxruntime.

    ORT_DISABLE_TELEMETRY, which it reads while it loads, is set unless it is.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def load_openvino() -> Any:
    """Return the module openvino.

    Where it finds no openvino_telemetry it takes its stub, which sends nothing.
    """
    hidden = "openvino_telemetry" not in sys.modules
    if hidden:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python: not to be imported
    try:
        import openvino
    finally:
        if hidden:
            del sys.modules["openvino_telemetry"]
    return openvino


@cache
def openvino_core() -> Any:
    """Return the only ``openvino.Core`` of this process.

    On Linux the first use of a core for the processor gives the thread a stack for signals, and its end frees
    that. Python's signals use it. If another thread lets go of the core, OpenVINO 2026.4 frees the stack of a
    thread that still has it, and its next signal (a Ctrl+C) ends the process with a segmentation fault.
    """
    return load_openvino().Core()
