"""What a model must keep to: a latency, a size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from eyebright.errors import ConfigError

Quantity = Literal["latency", "size"]

_UNITS: dict[str, tuple[Quantity, float]] = {
    "us": ("latency", 1e-3),
    "ms": ("latency", 1.0),
    "s": ("latency", 1e3),
    "b": ("size", 1.0),
    "kb": ("size", 1e3),
    "mb": ("size", 1e6),
    "gb": ("size", 1e9),
}
_TARGET = re.compile(r"(latency|size)\s*<=?\s*(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """A limit.

    Attributes:
        quantity: what is limited: the time of one answer with one thread, or the file's size.
        most: in milliseconds or bytes.
    """

    quantity: Quantity
    most: float

    def excess(self, latency_ms: float, size_bytes: float) -> float:
        """Return how many times too much it is; at most 1 where the target is met."""
        return (latency_ms if self.quantity == "latency" else size_bytes) / self.most

    def __str__(self) -> str:
        if self.quantity == "latency":
            return f"latency<={self.most:g}ms"
        return f"size<={self.most / 1e6:g}MB"


def parse_target(text: str) -> Target:
    """Return the target that is written as ``latency<=10ms`` or ``size<=5MB``.

    Raises:
        ConfigError: it is written otherwise.
    """
    match = _TARGET.fullmatch(text.strip())
    quantity, figure, unit = match.groups() if match else ("", "0", "")
    known, factor = _UNITS.get(unit.lower(), ("", 0.0))
    most = float(figure) * factor
    if known != quantity.lower() or most <= 0:
        raise ConfigError(
            'A target must look like "latency<=10ms" or "size<=5MB", in quotes. Got {text}. Give '
            "latency in us, ms or s, and size in kB, MB or GB.",
            text=repr(text),
        )
    return Target("latency" if known == "latency" else "size", most)


def checked_target(text: str) -> str:
    """Return ``text``, if it is a target.

    Raises:
        ConfigError: it is not.
    """
    parse_target(text)
    return text
