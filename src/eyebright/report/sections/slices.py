"""Where the model is worse: by how images look, where they come from, and what the user's columns say."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from eyebright.evaluation.slices import Slice
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.format import number, paragraph_of, percent
from eyebright.text.language import translate


@dataclass(frozen=True)
class SliceRow:
    """A slice with the name of its property, which images it holds, and the chart of its accuracy."""

    slice: Slice
    column: str
    name: str
    chart: Markup


def slices(content: ReportContent) -> Section | None:
    """Return the worse slices in words, the weakest of each property, and all of them folded away."""
    found = content.slices
    if not found:
        return None
    worse = sorted((s for s in found if s.worse), key=lambda s: s.p)
    weakest = [min(group, key=lambda s: s.accuracy.value) for _, group in groupby(found, lambda s: s.column)]
    body = render(
        "sections/slices.html",
        sentences=[_sentence(s) for s in worse],
        weakest=[_row(s) for s in weakest],
        every=[_row(s) for s in found],
    )
    return Section("slices", translate("Accuracy by slice"), body)


def column_name(column: str) -> str:
    """Return what a property is called; a user's own column bears its name."""
    match column:
        case "brightness":
            return translate("Brightness")
        case "contrast":
            return translate("Contrast")
        case "sharpness":
            return translate("Sharpness")
        case "pixels":
            return translate("Number of pixels")
        case "aspect":
            return translate("Aspect ratio")
        case "folder":
            return translate("Folder")
        case "format":
            return translate("File format")
        case "camera":
            return translate("Camera")
        case _:
            return column


def slice_name(found: Slice) -> str:
    """Return which images a slice holds, beside its property's name."""
    if found.low is None or found.high is None:
        return str(found.value)
    low, high = (_written(found.column, limit) for limit in (found.low, found.high))
    return low if low == high else translate("{low} to {high}", low=low, high=high)


def _written(column: str, value: float) -> str:
    if column in ("brightness", "contrast"):
        return percent(value, 0)
    if column == "pixels":
        return number(round(value))
    return f"{value:.2f}" if column == "aspect" else f"{value:.4g}"


def _sentence(found: Slice) -> str:
    worse = translate(
        "{column} {slice}: accuracy {accuracy} on {count:image|images}, {rest} on the rest.",
        column=column_name(found.column),
        slice=slice_name(found),
        accuracy=percent(found.accuracy.value),
        count=number(found.images),
        rest=percent(found.rest),
    )
    if not found.explained:
        return worse
    mixed = translate(
        "Its classes are harder ones: the same class mix reaches {expected} elsewhere.",
        expected=percent(found.expected),
    )
    return paragraph_of(worse, mixed)


def _row(found: Slice) -> SliceRow:
    return SliceRow(found, column_name(found.column), slice_name(found), interval_bar(found.accuracy))
