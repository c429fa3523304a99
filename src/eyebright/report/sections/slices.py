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
from eyebright.types import Lang


def slices(content: ReportContent, lang: Lang) -> Section | None:
    """The slices that are worse in words, the weakest of each property, and all of them folded away."""
    found = content.slices
    if not found:
        return None
    worse = sorted((s for s in found if s.worse), key=lambda s: s.p)
    if worse:
        body = "".join(paragraph(_sentence(s, lang), "note") for s in worse)
    else:
        calm = translate(
            "In none of {count} slices is the model worse than in the rest by more than chance.",
            lang,
            count=number(len(found)),
        )
        body = paragraph(calm)
    rule = translate(
        "The images are cut by one property after another. A slice is called worse only if chance would "
        "hardly do that to any of so many (Holm, 5 %).",
        lang,
    )
    weakest = [min(group, key=lambda s: s.accuracy.value) for _, group in groupby(found, lambda s: s.column)]
    body += paragraph(rule) + _table(translate("The weakest slice of each property", lang), weakest, lang)
    if len(found) > len(weakest):
        every = translate("All slices", lang)
        body += details(every, _table(every, found, lang))
    return Section("slices", translate("Where it is worse", lang), body)


def column_name(column: str, lang: Lang) -> str:
    """What a property is called; a user's own column bears its name."""
    match column:
        case "brightness":
            return translate("Brightness", lang)
        case "contrast":
            return translate("Contrast", lang)
        case "sharpness":
            return translate("Sharpness", lang)
        case "pixels":
            return translate("Size in pixels", lang)
        case "aspect":
            return translate("Width by height", lang)
        case "folder":
            return translate("Folder", lang)
        case "format":
            return translate("File format", lang)
        case "camera":
            return translate("Camera", lang)
        case _:
            return column


def slice_name(found: Slice, lang: Lang) -> str:
    """Which images a slice holds, beside its property's name."""
    if found.low is None or found.high is None:
        return str(found.value)
    low, high = (_written(found.column, limit, lang) for limit in (found.low, found.high))
    return low if low == high else translate("{low} to {high}", lang, low=low, high=high)


def _written(column: str, value: float, lang: Lang) -> str:
    if column in ("brightness", "contrast"):
        return percent(value, lang, 0)
    if column == "pixels":
        return number(round(value))
    return f"{value:.2f}" if column == "aspect" else f"{value:.4g}"


def _sentence(found: Slice, lang: Lang) -> str:
    worse = translate(
        "{column} {slice}: {accuracy} of {count} images are named right, of the others {rest}.",
        lang,
        column=column_name(found.column, lang),
        slice=slice_name(found, lang),
        accuracy=percent(found.accuracy.value, lang),
        count=number(found.images),
        rest=percent(found.rest, lang),
    )
    if not found.explained:
        return worse
    mixed = translate(
        "Its classes are harder ones: elsewhere they reach {expected} in this mix.",
        lang,
        expected=percent(found.expected, lang),
    )
    return f"{worse} {mixed}"


def _table(caption: str, rows: Sequence[Slice], lang: Lang) -> str:
    head = [
        text(translate("Property", lang)),
        text(translate("Images", lang)),
        text(translate("Accuracy", lang)),
        text(translate("Elsewhere", lang)),
    ]
    return table(caption, head, (_row(s, lang) for s in rows), "classes slices")


def _row(found: Slice, lang: Lang) -> list[str]:
    mark = f' <span class="mark">{text(translate("worse", lang))}</span>' if found.worse else ""
    between = f'<small class="between">{text(percent_range(found.accuracy, lang))}</small>'
    return [
        f"{text(column_name(found.column, lang))}{mark}<small>{name(slice_name(found, lang))}</small>",
        number(found.images),
        f"<b>{percent(found.accuracy.value, lang)}</b>{interval_bar(found.accuracy)}{between}",
        percent(found.rest, lang),
    ]
