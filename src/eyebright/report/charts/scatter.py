"""Dots in two directions: what each costs and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.report.charts.curve import HEIGHT, WIDTH, Axis, across, grid, mark_line, upwards
from eyebright.report.markup import text


@dataclass(frozen=True)
class Dot:
    """One dot.

    Attributes:
        name: plain text, shown where the pointer rests.
        x, y: its place.
        style: of its kind: "first" or "second".
        chosen: whether it has a ring.
    """

    name: str
    x: float
    y: float
    style: str
    chosen: bool


def scatter_chart(
    dots: Sequence[Dot],
    front: Sequence[Dot],
    x: Axis,
    y: Axis,
    description: str,
    limit: tuple[float, str] | None = None,
) -> str:
    """``dots`` as an SVG, with a line through those that nobody beats.

    Args:
        dots: all of them.
        front: those on the line, from left to right.
        x: the axis along the bottom.
        y: the axis on the left.
        description: plain text for those who cannot see the drawing.
        limit: a place on the x axis with a word, drawn as an upright line.
    """
    marked = "" if limit is None else mark_line(x, *limit)
    return (
        f'<svg class="curve scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{text(description)}">{grid(x, y)}{marked}{_front(front, x, y)}'
        f"{''.join(_dot(dot, x, y) for dot in dots)}</svg>"
    )


def _front(front: Sequence[Dot], x: Axis, y: Axis) -> str:
    points = [f"{across(x, dot.x):.1f} {upwards(y, dot.y):.1f}" for dot in front]
    return f'<path class="line second" d="M{"L".join(points)}"/>' if len(points) > 1 else ""


def _dot(dot: Dot, x: Axis, y: Axis) -> str:
    at = f'cx="{across(x, dot.x):.1f}" cy="{upwards(y, dot.y):.1f}"'
    ring = f'<circle class="ring" {at} r="7"/>' if dot.chosen else ""
    style = " second" if dot.style == "second" else ""
    return f'{ring}<circle class="dot{style}" {at} r="3.5"><title>{text(dot.name)}</title></circle>'
