"""Lines over epochs, or over learning rates: small, with few and round figures at the axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eyebright.report.markup import text

WIDTH, HEIGHT = 320, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 308, 22, 158
# More points than this are a line without dots.
_DOTS = 12


@dataclass(frozen=True)
class Line:
    """One line of a chart; a point whose y is not finite leaves a gap."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One direction of a chart: its limits, the figures on it, and how they are written."""

    low: float
    high: float
    ticks: Sequence[float]
    written: Callable[[float], str]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where ``value`` lies between the limits, 0 to 1; outside it stays at the edge."""
        low, high = (math.log10(v) if self.logarithmic else v for v in (self.low, self.high))
        if self.logarithmic:
            value = math.log10(max(value, self.low))
        return min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)


def linear_axis(
    values: Sequence[float], written: Callable[[float], str], *, whole: bool = False, zero: bool = False
) -> Axis:
    """An axis with about four round figures.

    Args:
        values: what it must hold.
        written: how a figure on it is written.
        whole: the figures are whole numbers, and the axis ends where the values do.
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
    """A logarithmic axis with a figure at each power of ten."""
    low, high = min(values), max(values)
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    return Axis(low, high, [10.0**p for p in powers], written, logarithmic=True)


def curve_chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    description: str,
    mark: tuple[float, str] | None = None,
    point: tuple[float, float] | None = None,
    band: Sequence[tuple[float, float, float]] = (),
) -> str:
    """``lines``, the first one firm and the second dashed, as an SVG.

    Args:
        lines: one or two.
        x: the axis along the bottom.
        y: the axis on the left.
        description: plain text for those who cannot see the drawing.
        mark: a place on the x axis with a word, drawn as an upright line.
        point: a place on a line that was chosen, drawn as a ring.
        band: x, lower and upper limit of each point, drawn as a surface behind the lines.
    """
    marked = "" if mark is None else mark_line(x, *mark)
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(description)}">'
        + grid(x, y)
        + marked
        + _band(band, x, y)
        + "".join(_line(line, x, y, " second" * (i > 0)) for i, line in enumerate(lines))
        + ("" if point is None else _ring(x, y, *point))
        + "</svg>"
    )


def _band(band: Sequence[tuple[float, float, float]], x: Axis, y: Axis) -> str:
    if not band:
        return ""
    edge = [(at, high) for at, _, high in band] + [(at, low) for at, low, _ in reversed(band)]
    path = "L".join(f"{across(x, a):.1f} {upwards(y, b):.1f}" for a, b in edge)
    return f'<path class="band" d="M{path}Z"/>'


def _line(line: Line, x: Axis, y: Axis, style: str) -> str:
    there = [(a, b) for a, b in line.points if math.isfinite(b)]
    dots = ""
    if len(there) <= _DOTS:
        dots = "".join(
            f'<circle class="dot{style}" cx="{across(x, a):.1f}" cy="{upwards(y, b):.1f}" r="3"/>'
            for a, b in there
        )
    path, broken = "", True
    for a, b in line.points:
        if not math.isfinite(b):
            broken = True
            continue
        path += f"{'M' if broken else 'L'}{across(x, a):.1f} {upwards(y, b):.1f}"
        broken = False
    return f'<path class="line{style}" d="{path}"/>{dots}' if path else ""


def grid(x: Axis, y: Axis) -> str:
    """The axes' figures, and a line across for each on the left."""
    parts = []
    for tick in y.ticks:
        at = upwards(y, tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text(y.written(tick))}</text>'
        )
    for tick in x.ticks:
        label = x.written(tick)
        # A long figure at the right edge would be cut off.
        edge = x.share(tick) > 0.97 and len(label) > 3
        at, anchor = (WIDTH, "end") if edge else (across(x, tick), "middle")
        parts.append(f'<text x="{at:.1f}" y="{_BOTTOM + 20}" text-anchor="{anchor}">{text(label)}</text>')
    return "".join(parts)


def mark_line(x: Axis, value: float, word: str) -> str:
    """An upright line with a word above it."""
    at = across(x, value)
    # The word stands above the lines; near the right edge it ends where the mark is.
    anchor = "end" if x.share(value) > 0.8 else "middle"
    return (
        f'<line class="chosen" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 4}" y2="{_BOTTOM}"/>'
        f'<text class="chosen-text" x="{at:.1f}" y="{_TOP - 8}" text-anchor="{anchor}">'
        f"{text(word)}</text>"
    )


def _ring(x: Axis, y: Axis, at: float, up: float) -> str:
    return f'<circle class="chosen-ring" cx="{across(x, at):.1f}" cy="{upwards(y, up):.1f}" r="6"/>'


def across(x: Axis, value: float) -> float:
    """Where a value of the lower axis lies in the drawing."""
    return _LEFT + (_RIGHT - _LEFT) * x.share(value)


def upwards(y: Axis, value: float) -> float:
    """Where a value of the left axis lies in the drawing."""
    return _BOTTOM - (_BOTTOM - _TOP) * y.share(value)


def _round_step(least: float, whole: bool) -> float:
    """The smallest of 1, 2, 5, 10 … (times a power of ten) that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))
    return max(1.0, step) if whole else step
