"""Dots in two directions: what each model costs and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from eyebright.report.charts.axis import Axis, Frame, across, up
from eyebright.report.charts.drawing import draw


@dataclass(frozen=True)
class Dot:
    """One dot.

    Attributes:
        name: plain text, shown where the pointer rests.
        x, y: its values.
        second: whether it is of the second kind, which has a colour of its own.
        selected: whether it has a ring.
    """

    name: str
    x: float
    y: float
    second: bool
    selected: bool


@dataclass(frozen=True)
class ScatterChart:
    """Dots in a frame.

    Attributes:
        frame: the axes.
        dots: their x and y are places in the drawing.
        front: path of the line through those that no other beats, empty for none.
    """

    frame: Frame
    dots: Sequence[Dot]
    front: str


def scatter_chart(
    dots: Sequence[Dot],
    front: Sequence[Dot],
    x: Axis,
    y: Axis,
    description: str,
    limit: tuple[float, str] | None = None,
) -> Markup:
    """Return the drawing of ``dots``, with a line through those that no other beats.

    Args:
        dots: all of them.
        front: those on the line, from left to right.
        x: the axis along the bottom.
        y: the axis on the left.
        description: plain text for those who cannot see the drawing.
        limit: a place on the x axis with a word, drawn as an upright line.
    """
    points = [f"{across(x, dot.x)} {up(y, dot.y)}" for dot in front]
    placed = [replace(dot, x=across(x, dot.x), y=up(y, dot.y)) for dot in dots]
    line = f"M{'L'.join(points)}" if len(points) > 1 else ""
    return draw("scatter.svg", ScatterChart(Frame.of(x, y, description, limit), placed, line))
