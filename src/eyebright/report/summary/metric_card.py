"""A metric in words: its name, value, 95 % interval and meaning."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from eyebright.report.charts.interval import interval_bar
from eyebright.text.format import decimal, decimal_range, percent, percent_range
from eyebright.types import Interval


@dataclass(frozen=True)
class MetricCard:
    """A metric in plain text, with its chart where it has one."""

    title: str
    value: str
    interval: str
    meaning: str
    chart: Markup | str = ""


def share_card(title: str, interval: Interval, meaning: str) -> MetricCard:
    """Return a fraction with its interval, as text and as a bar."""
    return MetricCard(
        title, percent(interval.value), percent_range(interval), meaning, interval_bar(interval)
    )


def share_row(title: str, interval: Interval, meaning: str) -> MetricCard:
    """Return a fraction with its interval as text."""
    return MetricCard(title, percent(interval.value), percent_range(interval), meaning)


def decimal_card(title: str, interval: Interval, meaning: str) -> MetricCard:
    """Return a number with its interval as text."""
    return MetricCard(title, decimal(interval.value), decimal_range(interval), meaning)
