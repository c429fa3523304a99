"""Where the model is worse: by how images look, where they come from, and what the user's columns say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from eyebright.evaluation.slices import Slice
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.markup import (
    Section,
    details,
    name,
    number,
    paragraph,
    percent,
    percent_range,
    table,
    text,
)
from eyebright.text.language import translate


def slices(content: ReportContent) -> Section | None:
    """The slices that are worse in words, the weakest of each property, and all of them folded away."""
    found = content.slices
    if not found:
        return None
    worse = sorted((s for s in found if s.worse), key=lambda s: s.p)
    if worse:
        body = "".join(paragraph(_sentence(s), "note") for s in worse)
    else:
        calm = translate(
            "No slice is significantly worse than the rest ({count:slice|slices} compared).",
            count=number(len(found)),
        )
        body = paragraph(calm)
    rule = translate(
        "The images are divided by one property at a time. A slice is called worse only if the "
        "difference is significant after correction for the number of slices (Holm, 5 %)."
    )
    weakest = [min(group, key=lambda s: s.accuracy.value) for _, group in groupby(found, lambda s: s.column)]
    body += paragraph(rule) + _table(translate("Weakest slice of each property"), weakest)
    if len(found) > len(weakest):
        every = translate("All slices")
        body += details(every, _table(every, found))
    return Section("slices", translate("Accuracy by slice"), body)


def column_name(column: str) -> str:
    """What a property is called; a user's own column bears its name."""
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
    """Which images a slice holds, beside its property's name."""
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
    return f"{worse} {mixed}"


def _table(caption: str, rows: Sequence[Slice]) -> str:
    head = [
        text(translate("Property")),
        text(translate("Images")),
        text(translate("Accuracy")),
        text(translate("Other images")),
    ]
    return table(caption, head, (_row(s) for s in rows), "classes slices")


def _row(found: Slice) -> list[str]:
    mark = f' <span class="mark">{text(translate("significantly worse"))}</span>' if found.worse else ""
    between = f'<small class="between">{text(percent_range(found.accuracy))}</small>'
    return [
        f"{text(column_name(found.column))}{mark}<small>{name(slice_name(found))}</small>",
        number(found.images),
        f"<b>{percent(found.accuracy.value)}</b>{interval_bar(found.accuracy)}{between}",
        percent(found.rest),
    ]
