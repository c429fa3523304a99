"""A model compared with its baseline: the model that it learned from or was made from."""

from __future__ import annotations

from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.language import translate
from eyebright.types import Interval


def baseline(content: ReportContent) -> Section | None:
    """Return accuracy, size and latency of both, and the paired difference with its interval."""
    both = content.baseline
    if both is None:
        return None
    body = render("sections/baseline.html", both=both, difference=difference(both.accuracy_difference))
    return Section("parent", translate("Comparison with the baseline"), body)


def difference(interval: Interval) -> str:
    """Return how much more or less accurate the model is, as a sentence."""
    value, low, high = (f"{100 * part:+.1f}" for part in (interval.value, interval.low, interval.high))
    if interval.low <= 0 <= interval.high:
        return translate(
            "Accuracy difference: {value} percentage points ({low} to {high}), not significant.",
            value=value,
            low=low,
            high=high,
        )
    return translate(
        "Accuracy difference: {value} percentage points ({low} to {high}).", value=value, low=low, high=high
    )
