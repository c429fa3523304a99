"""Lines over epochs, learning rates or thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.report.charts.axis import Axis, Frame, across, up
from eyebright.report.charts.drawing import draw

# More points than this are a line without dots.
_DOTS = 12


@dataclass(frozen=True)
class Line:
    """One line of a chart; a point whose y is not finite leaves a gap."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Stroke:
    """A drawn line: its path and its dots."""

    path: str
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class CurveChart:
    """Lines in a frame, the first one firm and the second dashed.

    Attributes:
        frame: the axes.
        strokes: the lines.
        band: path of a surface behind them, empty for none.
        ring: the place of the selected point.
    """

    frame: Frame
    strokes: Sequence[Stroke]
    band: str
    ring: tuple[float, float] | None


def curve_chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    description: str,
    mark: tuple[float, str] | None = None,
    point: tuple[float, float] | None = None,
    band: Sequence[tuple[float, float, float]] = (),
) -> Markup:
    """Return the drawing of ``lines``.

    Args:
        lines: one or two.
        x: the axis along the bottom.
        y: the axis on the left.
        description: plain text for those who cannot see the drawing.
        mark: a place on the x axis with a word, drawn as an upright line.
        point: the place of the selected point, drawn as a ring.
        band: x, lower and upper limit of each point, drawn as a surface behind the lines.
    """
    chart = CurveChart(
        Frame.of(x, y, description, mark),
        [_stroke(line, x, y) for line in lines],
        _band(band, x, y),
        None if point is None else (across(x, point[0]), up(y, point[1])),
    )
    return draw("curve.svg", chart)


def _band(band: Sequence[tuple[float, float, float]], x: Axis, y: Axis) -> str:
    if not band:
        return ""
    edge = [(at, high) for at, _, high in band] + [(at, low) for at, low, _ in reversed(band)]
    return f"M{'L'.join(f'{across(x, a)} {up(y, b)}' for a, b in edge)}Z"


def _stroke(line: Line, x: Axis, y: Axis) -> Stroke:
    path, broken = "", True
    dots = []
    for a, b in line.points:
        if not math.isfinite(b):
            broken = True
            continue
        dots.append((across(x, a), up(y, b)))
        path += f"{'M' if broken else 'L'}{dots[-1][0]} {dots[-1][1]}"
        broken = False
    return Stroke(path, dots if len(dots) <= _DOTS else ())
