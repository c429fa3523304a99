"""Values with their 95 % interval, one line high, as wide as the place they stand in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.report.charts.drawing import draw
from eyebright.types import Interval

# A dot must not be cut off at the ends of its scale.
_DOT_MARGIN = 4


@dataclass(frozen=True)
class IntervalBar:
    """A bar from 0 to 1 with a whisker over the interval; ``value``, ``low`` and ``high`` in per cent."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class IntervalDot:
    """A dot on its interval; ``value``, ``low`` and ``high`` in per cent of the width.

    Attributes:
        emphasised: whether it is drawn in the accent colour.
        zero: whether the middle of the scale is marked as 0.
    """

    value: float
    low: float
    high: float
    emphasised: bool
    zero: bool


@dataclass(frozen=True)
class ShareBar:
    """A bar for a share of a whole, in per cent."""

    share: float


def interval_bar(interval: Interval) -> Markup:
    """Return a bar from 0 to 1 with a whisker. The numbers stand beside it as text."""
    value, low, high = (round(100 * fraction(v), 1) for v in (interval.value, interval.low, interval.high))
    return draw("interval_bar.svg", IntervalBar(value, low, high))


def interval_dot(interval: Interval, low: float, high: float, chosen: bool) -> Markup:
    """Return a dot on its interval, on a scale that runs from ``low`` to ``high``."""
    value, left, right = (_along(v, low, high) for v in (interval.value, interval.low, interval.high))
    return draw("interval_dot.svg", IntervalDot(value, left, right, emphasised=chosen, zero=False))


def difference_dot(interval: Interval, reach: float, shown: bool) -> Markup:
    """Return a dot on its interval, with a line at 0.

    Args:
        interval: of the difference.
        reach: the scale runs from minus this to this.
        shown: whether the difference is significant, which is drawn in the accent colour.
    """
    reach = reach or 1.0
    value, left, right = (_along(v, -reach, reach) for v in (interval.value, interval.low, interval.high))
    return draw("interval_dot.svg", IntervalDot(value, left, right, emphasised=shown, zero=True))


def plain_bar(share: float) -> Markup:
    """Return a bar for a share of a whole."""
    return draw("share_bar.svg", ShareBar(round(100 * fraction(share), 2)))


def widest(*intervals: Interval) -> float:
    """Return how far from 0 the intervals reach."""
    return max((abs(end) for i in intervals for end in (i.low, i.high)), default=1.0)


def fraction(value: float) -> float:
    """Return ``value`` kept inside 0 to 1 so that it can be drawn; 0 where it is not finite."""
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def _along(value: float, low: float, high: float) -> float:
    share = fraction((value - low) / ((high - low) or 1.0))
    return round(_DOT_MARGIN + (100 - 2 * _DOT_MARGIN) * share, 1)
