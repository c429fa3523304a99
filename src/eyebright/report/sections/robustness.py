"""How the model bears worse images: a curve for each corruption; and whether it looks at the background."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.data.corruptions import BORDER, Corruption
from eyebright.evaluation.robustness import Level, Robustness, Shortcut
from eyebright.report.charts.axis import Axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, number, paragraph, percent, percent_range, table, text
from eyebright.text.language import translate
from eyebright.types import Interval


def robustness(content: ReportContent) -> Section | None:
    """The curves, what the model bears least, and the check for shortcuts; None where it was not asked."""
    if content.robustness is None:
        return None
    found = content.robustness.robustness
    intro = translate(
        "Evaluated on {count:image|images}, unmodified and with five strengths of each corruption, "
        "scaled to the input size of the model first. Bands are 95 % intervals. From the vertical "
        "line on, the model is significantly worse.",
        count=number(found.images),
    )
    charts = "".join(_chart(found, kind, levels) for kind, levels in found.curves.items())
    body = paragraph(_verdict(found)) + paragraph(intro) + f'<div class="curves">{charts}</div>'
    body += _shortcut(content.robustness.shortcut)
    return Section("robustness", translate("Robustness to image corruption"), body)


def corruption_name(kind: Corruption) -> str:
    """What a corruption is called, with the unit of its strength."""
    match kind:
        case "noise":
            return translate("Noise: standard deviation, share of white")
        case "blur":
            return translate("Blur: standard deviation, share of the short side")
        case "jpeg":
            return translate("JPEG: quality")
        case "darker":
            return translate("Darker: brightness factor")
        case "brighter":
            return translate("Brighter: brightness factor")
        case "rotation":
            return translate("Rotation: degrees")
        case "occlusion":
            return translate("Occlusion: share of the area")


def _written(kind: Corruption, strength: float) -> str:
    if kind in ("noise", "blur", "occlusion"):
        return percent(strength, 1 if kind == "blur" else 0)
    return f"{strength:g}"


def _level(kind: Corruption, strength: float) -> str:
    """One strength in words, as it stands in a sentence."""
    value = _written(kind, strength)
    match kind:
        case "noise":
            return translate("noise with σ of {value} of white", value=value)
        case "blur":
            return translate("blur with σ of {value} of the short side", value=value)
        case "jpeg":
            return translate("JPEG compression at quality {value}", value=value)
        case "darker" | "brighter":
            return translate("brightness × {value}", value=value)
        case "rotation":
            return translate("rotation by {value:degree|degrees}", value=value)
        case "occlusion":
            return translate("{value} of the area occluded", value=value)


def _verdict(found: Robustness) -> str:
    """Which change costs most over its strengths, and from where on."""
    fallen = {kind: level for kind in found.curves if (level := found.falls(kind))}
    if not fallen:
        return translate("None of the corruptions makes the model significantly worse.")
    worst = min(fallen, key=lambda kind: sum(level.accuracy.value for level in found.curves[kind]))
    return translate(
        "Accuracy is {clean} on the original images and {accuracy} with {change}. No other "
        "corruption costs more.",
        clean=percent(found.clean.value),
        change=_level(worst, fallen[worst].strength),
        accuracy=percent(fallen[worst].accuracy.value),
    )


def _chart(found: Robustness, kind: Corruption, levels: Sequence[Level]) -> str:
    """Accuracy by the number of the strength, the first being the images as they are."""
    points = [found.clean, *(level.accuracy for level in levels)]
    names = ["–", *(_written(kind, level.strength) for level in levels)]
    x = Axis(0, len(levels), range(len(points)), lambda i: names[round(i)])
    y = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda v: percent(v, 0))
    line = Line("", [(i, interval.value) for i, interval in enumerate(points)])
    band = [(i, interval.low, interval.high) for i, interval in enumerate(points)]
    fallen = found.falls(kind)
    mark = None if fallen is None else (1.0 + levels.index(fallen), "")
    title = corruption_name(kind)
    told = "; ".join(f"{at} {percent(interval.value, 0)}" for at, interval in zip(names, points, strict=True))
    chart = curve_chart([line], x, y, f"{title}: {told}", mark=mark, band=band)
    return f"<figure><h3>{text(title)}</h3>{chart}</figure>"


def _shortcut(found: Shortcut) -> str:
    rows = [
        _row(title, interval)
        for title, interval in (
            (translate("Whole image"), found.clean),
            (translate("Centre only"), found.centre),
            (translate("Border only"), found.border),
        )
    ]
    rule = translate(
        "The border takes {share} of the width or height on each side. Always predicting the most "
        "frequent class would reach {majority}.",
        share=percent(BORDER, 0),
        majority=percent(found.majority),
    )
    if found.suspicious:
        said = translate(
            "The border alone is almost enough. The model may rely on the background, unless the "
            "objects fill the image: test it on other backgrounds."
        )
        verdict = paragraph(said, "note")
    else:
        verdict = paragraph(translate("The border alone is not enough."))
    head = [text(translate("Visible region")), text(translate("Accuracy"))]
    caption = translate("Check for reliance on the background")
    return f"<h3>{text(caption)}</h3>{verdict}{paragraph(rule)}{table(caption, head, rows, 'further')}"


def _row(title: str, interval: Interval) -> list[str]:
    between = f'<small class="between">{text(percent_range(interval))}</small>'
    return [text(title), f"<b>{percent(interval.value)}</b>{interval_bar(interval)}{between}"]
