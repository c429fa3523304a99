"""A line of a quote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """A way to a better model.

    Attributes:
        name: what to do.
        cost: in time or labels.
        gain: what it may bring.
    """

    name: str
    cost: str
    gain: str
