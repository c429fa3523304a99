"""Differences with their 95 % interval, on a scale with 0 in its middle."""

from __future__ import annotations

from eyebright.report.markup import fraction
from eyebright.types import Interval


def difference_dot(interval: Interval, reach: float, shown: bool) -> str:
    """A dot on its interval, with a line at 0.

    Args:
        interval: of the difference.
        reach: the scale runs from minus this to this.
        shown: whether the difference is more than chance, which is drawn firmly.
    """
    # The dot must not be cut off at the ends of the scale.
    value, low, high = (
        4 + 92 * fraction(0.5 + v / (2 * (reach or 1.0)))
        for v in (interval.value, interval.low, interval.high)
    )
    return (
        f'<svg class="dots{" chosen" if shown else ""}" width="100%" height="22" aria-hidden="true">'
        '<line class="axis" x1="0" x2="100%" y1="11" y2="11"/>'
        '<line class="zero" x1="50%" x2="50%" y1="1" y2="21"/>'
        f'<line class="range" x1="{low:.1f}%" x2="{high:.1f}%" y1="11" y2="11"/>'
        f'<circle cx="{value:.1f}%" cy="11" r="5.5"/></svg>'
    )


def widest(*intervals: Interval) -> float:
    """How far from 0 these reach."""
    return max((abs(end) for i in intervals for end in (i.low, i.high)), default=1.0)
