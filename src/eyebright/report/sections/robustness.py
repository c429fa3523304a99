"""How the model bears worse images: a curve for each corruption; and whether it looks at the background."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.data.corruptions import BORDER, Corruption
from eyebright.evaluation.robustness import Level, Robustness, Shortcut
from eyebright.report.charts.curve import Axis, Line, curve_chart
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, number, paragraph, percent, percent_range, table, text
from eyebright.text.language import translate
from eyebright.types import Interval, Lang


def robustness(content: ReportContent, lang: Lang) -> Section | None:
    """The curves, what the model bears least, and the check for shortcuts; None where it was not asked."""
    if content.stressed is None:
        return None
    found = content.stressed.robustness
    intro = translate(
        "Asked about {count} images as they are and with five strengths of each change, scaled to the "
        "model's input size first. Bands are 95 % intervals; from the upright line on the model is worse by "
        "more than chance.",
        lang,
        count=number(found.images),
    )
    charts = "".join(_chart(found, kind, levels, lang) for kind, levels in found.curves.items())
    body = paragraph(_verdict(found, lang)) + paragraph(intro) + f'<div class="curves">{charts}</div>'
    body += _shortcut(content.stressed.shortcut, lang)
    return Section("robustness", translate("How it bears worse images", lang), body)


def corruption_name(kind: Corruption, lang: Lang) -> str:
    """What a corruption is called, with the unit of its strength."""
    match kind:
        case "noise":
            return translate("Noise: deviation, share of white", lang)
        case "blur":
            return translate("Blur: deviation, share of the short side", lang)
        case "jpeg":
            return translate("JPEG: quality", lang)
        case "darker":
            return translate("Darker: factor on the light", lang)
        case "brighter":
            return translate("Brighter: factor on the light", lang)
        case "rotation":
            return translate("Rotation: degrees", lang)
        case "occlusion":
            return translate("Covered: share of the area", lang)


def _written(kind: Corruption, strength: float, lang: Lang) -> str:
    if kind in ("noise", "blur", "occlusion"):
        return percent(strength, lang, 1 if kind == "blur" else 0)
    return f"{strength:g}"


def _level(kind: Corruption, strength: float, lang: Lang) -> str:
    """One strength in words, as it stands in a sentence."""
    value = _written(kind, strength, lang)
    match kind:
        case "noise":
            return translate("noise of {value} of white", lang, value=value)
        case "blur":
            return translate("a blur of {value} of the short side", lang, value=value)
        case "jpeg":
            return translate("JPEG of quality {value}", lang, value=value)
        case "darker" | "brighter":
            return translate("{value} times the light", lang, value=value)
        case "rotation":
            return translate("a turn by {value} degrees", lang, value=value)
        case "occlusion":
            return translate("{value} of the area covered", lang, value=value)


def _verdict(found: Robustness, lang: Lang) -> str:
    """Which change costs most over its strengths, and from where on."""
    fallen = {kind: level for kind in found.curves if (level := found.falls(kind))}
    if not fallen:
        return translate("No change that was tried makes the model worse by more than chance.", lang)
    worst = min(fallen, key=lambda kind: sum(level.accuracy.value for level in found.curves[kind]))
    return translate(
        "As they are, {clean} of these images are named right; with {change}, {accuracy}. No other kind of "
        "change costs more.",
        lang,
        clean=percent(found.clean.value, lang),
        change=_level(worst, fallen[worst].strength, lang),
        accuracy=percent(fallen[worst].accuracy.value, lang),
    )


def _chart(found: Robustness, kind: Corruption, levels: Sequence[Level], lang: Lang) -> str:
    """Accuracy by the number of the strength, the first being the images as they are."""
    points = [found.clean, *(level.accuracy for level in levels)]
    names = ["–", *(_written(kind, level.strength, lang) for level in levels)]
    x = Axis(0, len(levels), range(len(points)), lambda i: names[round(i)])
    y = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda v: percent(v, lang, 0))
    line = Line("", [(i, interval.value) for i, interval in enumerate(points)])
    band = [(i, interval.low, interval.high) for i, interval in enumerate(points)]
    fallen = found.falls(kind)
    mark = None if fallen is None else (1.0 + levels.index(fallen), "")
    title = corruption_name(kind, lang)
    told = "; ".join(
        f"{at} {percent(interval.value, lang, 0)}" for at, interval in zip(names, points, strict=True)
    )
    chart = curve_chart([line], x, y, f"{title}: {told}", mark=mark, band=band)
    return f"<figure><h3>{text(title)}</h3>{chart}</figure>"


def _shortcut(found: Shortcut, lang: Lang) -> str:
    rows = [
        _row(title, interval, lang)
        for title, interval in (
            (translate("Whole image", lang), found.clean),
            (translate("Centre alone", lang), found.centre),
            (translate("Border alone", lang), found.border),
        )
    ]
    rule = translate(
        "The border is {share} of each side, on every side. Always naming the most frequent class would "
        "reach {majority}.",
        lang,
        share=percent(BORDER, lang, 0),
        majority=percent(found.majority, lang),
    )
    if found.suspicious:
        said = translate(
            "The border alone all but suffices. The model may look at the background, unless the things fill "
            "the image: test it on other backgrounds.",
            lang,
        )
        verdict = paragraph(said, "note")
    else:
        verdict = paragraph(translate("The border alone does not suffice.", lang))
    head = [text(translate("What is seen", lang)), text(translate("Accuracy", lang))]
    caption = translate("Does it look at the background", lang)
    return f"<h3>{text(caption)}</h3>{verdict}{paragraph(rule)}{table(caption, head, rows, 'further')}"


def _row(title: str, interval: Interval, lang: Lang) -> list[str]:
    between = f'<small class="between">{text(percent_range(interval, lang))}</small>'
    return [text(title), f"<b>{percent(interval.value, lang)}</b>{interval_bar(interval)}{between}"]
