"""A model beside the one that it learned from or was made from."""

from __future__ import annotations

from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, number, paragraph, part_name, percent, table, text
from eyebright.text.language import translate
from eyebright.types import Interval


def beside_parent(content: ReportContent) -> Section | None:
    """Accuracy, size and time of both, and the paired difference with its interval."""
    both = content.baseline
    if both is None:
        return None
    title = translate("Comparison with the baseline")
    head = [
        "",
        text(translate("Accuracy")),
        text(translate("Size")),
        text(translate("Latency per image")),
    ]
    rows = [
        _row(translate("this model"), both.accuracy, both.size_bytes, both.latency_ms),
        _row(
            translate("baseline"), both.accuracy_baseline, both.size_bytes_baseline, both.latency_ms_baseline
        ),
    ]
    basis = translate(
        "Both models were run on the same {count:image|images} of the {part} split and timed "
        "alternately, one image at a time on one thread.",
        part=part_name(both.split),
        count=number(both.images),
    )
    body = (
        paragraph(basis)
        + table(title, head, rows, "beside")
        + paragraph(difference(both.accuracy_difference))
    )
    return Section("parent", title, body)


def difference(interval: Interval) -> str:
    """How much more or less accurate the model is, as a sentence."""
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


def _row(name: str, accuracy: float, size: int, latency: float) -> list[str]:
    return [text(name), percent(accuracy), f"{size / 1e6:.2f} MB", f"{latency:.1f} ms"]
