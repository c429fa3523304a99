"""What the images say of a target, what it costs, and how many images such a claim takes, as sentences."""

from __future__ import annotations

from math import floor, log10

from eyebright.evaluation.decisions.targets import AT_MOST
from eyebright.report.metrics_content import OperatingPointContent
from eyebright.text.format import number, paragraph_of, percent
from eyebright.text.language import translate

_ALMOST_SURE = 0.1  # of a limit: then a second decimal tells it from the bound


def target_verdict(point: OperatingPointContent) -> str:
    """Return the verdict on a target, an entry of `operating_points` in `metrics.json`."""
    return translate("{target}: {verdict}.", target=point["target"], verdict=verdict_name(point["verdict"]))


def target_detail(point: OperatingPointContent) -> str:
    """Return what was measured, the price and, unless it is met, how many images the claim takes."""
    if point["value"] is None:
        return paragraph_of(translate("There is no image here to measure it on."), _needed(point))
    needed = "" if point["verdict"] == "met" else _needed(point)
    return paragraph_of(_measured(point, point["value"]), _price(point), needed)


def verdict_name(verdict: str) -> str:
    """Return what a verdict on a target is called."""
    match verdict:
        case "met":
            return translate("met")
        case "missed":
            return translate("missed")
        case _:
            return translate("not shown")


def _measured(point: OperatingPointContent, value: float) -> str:
    limit = point["limit"]
    values = {
        "value": percent(value),
        "limit": percent(limit, 2 if min(limit, 1 - limit) < _ALMOST_SURE else 1),
    }
    if _figure(point) in AT_MOST:
        return translate("Measured {value}; at most {limit} with 95 % confidence.", **values)
    return translate("Measured {value}; at least {limit} with 95 % confidence.", **values)


def _price(point: OperatingPointContent) -> str:
    figures = {
        name: "–" if figure["value"] is None else percent(figure["value"])
        for name, figure in point["figures"].items()
    }
    return translate(
        "Its price: recall {recall}, precision {precision}; {label} is predicted for {share} of the images, "
        "{before} without the target.",
        recall=figures["recall"],
        precision=figures["precision"],
        label=point["class"],
        share=percent(point["answered"]["value"]),
        before=percent(point["answered_without"]),
    )


def _needed(point: OperatingPointContent) -> str:
    if point["needed"] is None:
        return translate("No number of images can show a bound of 0 or 100 %.")
    match _figure(point):
        case "recall":
            which = translate("of {label}", label=point["class"])
        case "precision":
            which = translate("predicted as {label}", label=point["class"])
        case _:
            which = translate("without {label}", label=point["class"])
    values = {"needed": number(_about(point["needed"])), "which": which, "counted": number(point["counted"])}
    if point["needed_without_error"]:
        said = translate(
            "Showing it takes about {needed:image|images} {which} without an error; there were {counted}.",
            **values,
        )
    else:
        said = translate(
            "Showing it at this rate of errors takes about {needed:image|images} {which}; there were "
            "{counted}.",
            **values,
        )
    together = translate("Images of one group count as one.") if point["grouped"] else ""
    return paragraph_of(said, together)


def _figure(point: OperatingPointContent) -> str:
    return str(point["target"]).partition("(")[0]


def _about(count: int) -> int:
    """Return a count rounded up to two significant digits."""
    step = int(10 ** max(floor(log10(max(count, 1))) - 1, 0))
    return -(-count // step) * step
