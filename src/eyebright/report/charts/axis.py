"""The frame of a small chart: two axes with few and round numbers, and a marked place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Axis:
    """One direction of a chart: its limits, the numbers on it, and how they are written."""

    low: float
    high: float
    ticks: Sequence[float]
    written: Callable[[float], str]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where ``value`` lies between the limits, 0 to 1; outside it stays at the edge."""
        low, high = (math.log10(v) if self.logarithmic else v for v in (self.low, self.high))
        if self.logarithmic:
            value = math.log10(max(value, self.low))
        return min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)


@dataclass(frozen=True)
class Tick:
    """A label at a place, with the end of the label that stands there."""

    at: float
    label: str
    anchor: Literal["middle", "end"]


@dataclass(frozen=True)
class Frame:
    """What surrounds the drawing, in its own units.

    Attributes:
        description: plain text for those who cannot see the drawing.
        across, upwards: labels along the bottom and on the left.
        mark: a place on the x axis with a word, drawn as an upright line.
    """

    width: ClassVar[int] = 320
    height: ClassVar[int] = 190
    left: ClassVar[int] = 52
    right: ClassVar[int] = 308
    top: ClassVar[int] = 22
    bottom: ClassVar[int] = 158
    description: str
    across: Sequence[Tick]
    upwards: Sequence[Tick]
    mark: Tick | None

    @classmethod
    def of(cls, x: Axis, y: Axis, description: str, mark: tuple[float, str] | None) -> Frame:
        """Return the frame of two axes; ``mark`` is a value of the x axis with its word."""
        return cls(
            description,
            [_x_tick(x, tick) for tick in x.ticks],
            [Tick(up(y, tick), y.written(tick), "end") for tick in y.ticks],
            None if mark is None else _marked(x, *mark),
        )


def across(x: Axis, value: float) -> float:
    """Return where a value of the lower axis lies in the drawing."""
    return round(Frame.left + (Frame.right - Frame.left) * x.share(value), 1)


def up(y: Axis, value: float) -> float:
    """Return where a value of the left axis lies in the drawing."""
    return round(Frame.bottom - (Frame.bottom - Frame.top) * y.share(value), 1)


def linear_axis(
    values: Sequence[float], written: Callable[[float], str], *, whole: bool = False, zero: bool = False
) -> Axis:
    """Return an axis with about four round numbers.

    Args:
        values: what it must hold.
        written: how a number on it is written.
        whole: the numbers are whole, and the axis ends where the values do.
        zero: it begins at 0.
    """
    low, high = min([*values, *([0.0] * zero)]), max(values)
    if low == high:
        pad = 1.0 if whole else abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    step = _round_step((high - low) / 4, whole)
    if not whole:
        low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    first = math.ceil(low / step - 1e-9)
    ticks = [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return Axis(low, high, ticks, written)


def rate_axis(values: Sequence[float], written: Callable[[float], str]) -> Axis:
    """Return a logarithmic axis with a number at each power of ten."""
    low, high = min(values), max(values)
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    return Axis(low, high, [10.0**p for p in powers], written, logarithmic=True)


def _x_tick(x: Axis, value: float) -> Tick:
    label = x.written(value)
    # A long label at the right edge would be cut off.
    if x.share(value) > 0.97 and len(label) > 3:
        return Tick(Frame.width, label, "end")
    return Tick(across(x, value), label, "middle")


def _marked(x: Axis, value: float, word: str) -> Tick:
    # The word stands above the lines; near the right edge it ends where the mark is.
    return Tick(across(x, value), word, "end" if x.share(value) > 0.8 else "middle")


def _round_step(least: float, whole: bool) -> float:
    """Return the smallest of 1, 2, 5, 10 … (times a power of ten) that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))
    return max(1.0, step) if whole else step
