"""An engine: it runs an ONNX graph on this machine's processor."""

from __future__ import annotations

import importlib.util
from typing import Literal, Protocol

from eyebright.types import FloatArray, UInt8Array

Precision = Literal["float32", "mixed", "bfloat16", "float16"]


class Engine(Protocol):
    """Runs a graph, one image a call and one thread a call, from as many threads as the machine has cores.

    One image at a time keeps the feature maps in the processor's cache: measured, it is as fast as any larger
    batch, and twice as fast at 448 px. Many threads then share nothing but the weights.

    Attributes:
        name: as printed and saved, such as "openvino bfloat16".
        precision: of the arithmetic.
        callers: how many threads must call it to keep every core at work.
    """

    name: str
    precision: Precision
    callers: int

    def run(self, image: UInt8Array) -> FloatArray:
        """Return the graph's output (D,) for one image (S, S, 3).

        Safe to call from several threads at once.
        """


def installed(package: str) -> bool:
    """Return whether ``package`` can be imported here."""
    return importlib.util.find_spec(package) is not None
