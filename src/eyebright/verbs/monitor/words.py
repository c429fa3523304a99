"""What an analysis says, in sentences."""

from __future__ import annotations

import time

from eyebright.monitoring.accuracy import EstimatedAccuracy
from eyebright.monitoring.analysis import FEWEST, Analysis
from eyebright.monitoring.drift import Drift
from eyebright.text.format import decimal, listed, number, percent, percent_range
from eyebright.text.language import translate

_MOST_CLASSES = 3
_RARE = 0.5  # of the errors, that named classes should make up


def verdict_sentence(found: Analysis) -> str:
    """Return what it comes to."""
    images = found.images
    match found.verdict:
        case "too_few":
            return translate(
                "Too few images: {images:image was|images were} logged, and a change must be drastic to be "
                "seen. At least {needed} are needed to estimate the accuracy.",
                images=images,
                needed=FEWEST,
            )
        case "unchanged":
            return translate(
                "No change was found in {images:image|images}.",
                images=images,
            )
        case "harmless":
            return translate(
                "Something changed, and it seems harmless: the estimated accuracy is as before within 2 "
                "points."
            )
        case "harmful":
            return translate("Something changed, and it is likely to cost accuracy.")
        case _:
            return translate(
                "Something changed. Since then, too few images were logged to tell what it costs: at least "
                "{needed} are needed.",
                needed=FEWEST,
            )


def accuracy_sentence(accuracy: EstimatedAccuracy) -> str:
    """Return the accuracy before and now."""
    return translate(
        "Estimated accuracy: {now} ({between}), {before} on the validation and test images. This assumes "
        "that images still have the labels that they would have had.",
        now=percent(accuracy.now.value),
        between=percent_range(accuracy.now),
        before=percent(accuracy.reference.value),
    )


def drift_name(drift: Drift) -> str:
    """Return what changed."""
    if drift.kind == "features":
        return translate("Image features")
    if drift.kind == "neighbours":
        return translate("Unsure images that are alike")
    if drift.kind == "class":
        return translate("Predicted as {label}", label=drift.name)
    match drift.name:
        case "uncertainty":
            return translate("Uncertainty")
        case "unknown_score":
            return translate("OOD score")
        case "confidence":
            return translate("Confidence")
        case "brightness":
            return translate("Brightness")
        case "contrast":
            return translate("Contrast")
        case "sharpness":
            return translate("Sharpness")
        case _:
            return translate("Image size (px)")


def drift_values(drift: Drift) -> tuple[str, str]:
    """Return the typical value before and now."""
    if drift.before is None or drift.now is None:
        return "", ""
    if drift.kind == "class" or drift.name in ("confidence", "brightness", "contrast"):
        return percent(drift.before), percent(drift.now)
    if drift.name in ("sharpness", "size"):
        return number(round(drift.before)), number(round(drift.now))
    return decimal(drift.before, 2), decimal(drift.now, 2)


def moment(seconds: float) -> str:
    """Return a time of UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def advice(found: Analysis) -> list[str]:
    """Return what to do; nothing where nothing is to be done."""
    if found.verdict not in ("harmful", "changed"):
        return []
    sentences = []
    before, now = found.unknown_before, found.unknown_now
    if before is not None and now is not None and now.low > before.high:
        sentences.append(
            translate(
                "More images are unknown than before. If they belong to a new class, collect and label "
                "about 20 of them and train with it."
            )
        )
    if names := _uncertain_classes(found):
        sentences.append(
            translate(
                "Label new images that are predicted as {names}: most of the expected errors are among them.",
                names=listed(names),
            )
        )
    if found.examples:
        sentences.append(
            translate(
                "Label these first: {names}.", names=listed([example.name for example in found.examples], 5)
            )
        )
    sentences.append(
        translate("Evaluate the model on them with `eyebright evaluate`, and train again with them.")
    )
    return sentences


def _uncertain_classes(found: Analysis) -> list[str]:
    """Return the classes among whose predictions half of the expected errors are."""
    ranked = sorted(found.classes, key=lambda share: -share.wrong)
    total = sum(share.wrong for share in ranked)
    names: list[str] = []
    covered = 0.0
    for share in ranked[:_MOST_CLASSES]:
        if total and covered < _RARE * total:
            names.append(share.label)
            covered += share.wrong
    return names
