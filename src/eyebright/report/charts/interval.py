"""Bars and dots with their 95 % interval, one line high, as wide as the place they stand in."""

from __future__ import annotations

from eyebright.report.markup import fraction
from eyebright.types import Interval


def interval_bar(interval: Interval) -> str:
    """A bar from 0 to 1 with a whisker over the interval. The figures stand beside it as text."""
    value, low, high = (100 * fraction(v) for v in (interval.value, interval.low, interval.high))
    return (
        '<svg class="bar" width="100%" height="14" aria-hidden="true">'
        '<rect class="track" y="4" width="100%" height="6" rx="3"/>'
        f'<rect class="fill" y="4" width="{value:.1f}%" height="6" rx="3"/>{_whisker(low, high)}</svg>'
    )


def interval_dot(interval: Interval, low: float, high: float, chosen: bool) -> str:
    """A dot on its interval, on a scale that runs from ``low`` to ``high``."""
    span = (high - low) or 1.0
    # The dot must not be cut off at the ends of the scale.
    value, left, right = (
        4 + 92 * fraction((v - low) / span) for v in (interval.value, interval.low, interval.high)
    )
    return (
        f'<svg class="dots{" chosen" if chosen else ""}" width="100%" height="18" aria-hidden="true">'
        '<line class="axis" x1="0" x2="100%" y1="9" y2="9"/>'
        f'<line class="range" x1="{left:.1f}%" x2="{right:.1f}%" y1="9" y2="9"/>'
        f'<circle cx="{value:.1f}%" cy="9" r="5.5"/></svg>'
    )


def plain_bar(share: float) -> str:
    """A bar for a share of a whole."""
    return (
        '<svg class="bar" width="100%" height="10" aria-hidden="true">'
        '<rect class="track" y="2" width="100%" height="6" rx="3"/>'
        f'<rect class="fill" y="2" width="{100 * fraction(share):.2f}%" height="6" rx="3"/></svg>'
    )


def _whisker(low: float, high: float) -> str:
    return (
        '<g class="whisker">'
        f'<line x1="{low:.1f}%" x2="{high:.1f}%" y1="7" y2="7"/>'
        f'<line x1="{low:.1f}%" x2="{low:.1f}%" y1="3" y2="11"/>'
        f'<line x1="{high:.1f}%" x2="{high:.1f}%" y1="3" y2="11"/></g>'
    )
