"""How the model bears corrupted images: a curve for each corruption; and whether it uses the background."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eyebright.data.corruptions import BORDER, Corruption
from eyebright.evaluation.robustness import Level, Robustness
from eyebright.report.charts.axis import Axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.charts.interval import interval_bar
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.format import percent
from eyebright.text.language import translate


def robustness(content: ReportContent) -> Section | None:
    """Return the curves, the worst corruption, and the check for shortcuts; None where it was not asked."""
    if content.robustness is None:
        return None
    found, regions = content.robustness.robustness, content.robustness.shortcut
    visible = (
        (translate("Whole image"), regions.clean),
        (translate("Centre only"), regions.centre),
        (translate("Border only"), regions.border),
    )
    body = render(
        "sections/robustness.html",
        verdict=_verdict(found),
        images=found.images,
        charts=[_chart(found, kind, levels) for kind, levels in found.curves.items()],
        border=BORDER,
        shortcut=regions,
        regions=[(title, interval, interval_bar(interval)) for title, interval in visible],
    )
    return Section("robustness", translate("Robustness to image corruption"), body)


def corruption_name(kind: Corruption) -> str:
    """Return what a corruption is called, with the unit of its strength."""
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
    """Return one strength in words, as it stands in a sentence."""
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
    """Return which corruption costs most over its strengths, and from where on."""
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


def _chart(found: Robustness, kind: Corruption, levels: Sequence[Level]) -> tuple[str, Markup]:
    """Return the title and accuracy by the number of the strength, the first being the original images."""
    points = [found.clean, *(level.accuracy for level in levels)]
    names = ["–", *(_written(kind, level.strength) for level in levels)]
    x = Axis(0, len(levels), range(len(points)), lambda i: names[round(i)])
    y = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), lambda v: percent(v, 0))
    line = Line("", [(i, interval.value) for i, interval in enumerate(points)])
    band = [(i, interval.low, interval.high) for i, interval in enumerate(points)]
    fallen = found.falls(kind)
    mark = None if fallen is None else (1.0 + levels.index(fallen), "")
    title = corruption_name(kind)
    values = "; ".join(
        f"{at} {percent(interval.value, 0)}" for at, interval in zip(names, points, strict=True)
    )
    return title, curve_chart([line], x, y, f"{title}: {values}", mark=mark, band=band)
