"""A step of compression: a smaller graph with the same inputs and outputs, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx


@dataclass(frozen=True)
class Rung:
    """One way of compressing a sealed graph; a ladder tries them until one is good enough.

    Attributes:
        summary: an English phrase for the terminal: how it was compressed.
        graph: the sealed graph, compressed.
        details: for the certificate.
    """

    summary: str
    graph: onnx.ModelProto
    details: Mapping[str, Any] = field(default_factory=dict)
