"""The reliability diagram: accuracy by confidence, and the number of predictions below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from eyebright.evaluation.multiclass.results import ReliabilityBin
from eyebright.report.charts.drawing import draw
from eyebright.report.charts.interval import fraction
from eyebright.text.format import number, percent
from eyebright.text.language import translate

# A share of fewer images than this is drawn faintly.
_FEW = 10
_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class BinShape:
    """One bin.

    Attributes:
        x, width: of its bars.
        top, height: of the bar of its accuracy.
        count_top, count_height: of the bar of its number of predictions.
        dot: where its mean confidence lies across.
        ideal: how high its dot would lie if it were perfectly calibrated.
        few: whether it holds too few images for a firm mark.
        hint: its numbers in words, shown where the pointer rests.
    """

    x: float
    width: float
    top: float
    height: float
    count_top: float
    count_height: float
    dot: float
    ideal: float
    few: bool
    hint: str


@dataclass(frozen=True)
class GridLine:
    """A share on both axes: where it lies across and how high, and its label."""

    x: float
    y: float
    label: str
    last: bool


@dataclass(frozen=True)
class ReliabilityDiagram:
    """Bars of accuracy by confidence with the diagonal of perfect calibration; counts below.

    Attributes:
        bins: their shapes.
        grid: the shares on the axes.
        most: the largest number of predictions in a bin, in words.
    """

    left: ClassVar[int] = 44
    right: ClassVar[int] = 350
    top: ClassVar[int] = 10
    bottom: ClassVar[int] = 290
    counts_top: ClassVar[int] = 318
    counts_bottom: ClassVar[int] = 372
    bins: Sequence[BinShape]
    grid: Sequence[GridLine]
    most: str


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Markup:
    """Return the diagram of ``bins``."""
    most = max((b.count for b in bins), default=1)
    chart = ReliabilityDiagram(
        [_shape(b, most) for b in bins],
        [GridLine(_x(step), _y(step), percent(step, 0), step == 1) for step in _STEPS],
        number(most),
    )
    return draw("reliability.svg", chart)


def _shape(b: ReliabilityBin, most: int) -> BinShape:
    count_height = (ReliabilityDiagram.counts_bottom - ReliabilityDiagram.counts_top) * b.count / most
    return BinShape(
        x=round(_x(b.low) + 1, 1),
        width=round(_x(b.high) - _x(b.low) - 2, 1),
        top=_y(b.accuracy),
        height=round(ReliabilityDiagram.bottom - _y(b.accuracy), 1),
        count_top=round(ReliabilityDiagram.counts_bottom - count_height, 1),
        count_height=round(count_height, 1),
        dot=_x(b.confidence),
        ideal=_y(b.confidence),
        few=b.count < _FEW,
        hint=translate(
            "{count:prediction|predictions}: mean confidence {confidence}, accuracy {accuracy}",
            count=number(b.count),
            confidence=percent(b.confidence),
            accuracy=percent(b.accuracy),
        ),
    )


def _x(value: float) -> float:
    left, right = ReliabilityDiagram.left, ReliabilityDiagram.right
    return round(left + (right - left) * fraction(value), 1)


def _y(value: float) -> float:
    top, bottom = ReliabilityDiagram.top, ReliabilityDiagram.bottom
    return round(bottom - (bottom - top) * fraction(value), 1)
