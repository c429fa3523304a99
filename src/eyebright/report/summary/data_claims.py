"""What is claimed of the data: shift, shortcuts, leaks that were removed, groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eyebright.report.metrics_content import DataChecksContent
from eyebright.report.summary.claim import Claim
from eyebright.text.format import number, percent, split_name
from eyebright.text.language import translate
from eyebright.types import Split

_EVIDENCE = "data"


def data_claims(checks: DataChecksContent) -> Iterator[Claim]:
    """Yield what the images themselves say of the figures below.

    Args:
        checks: the entry `data_checks` of `metrics.json`.
    """
    if (shift := checks["shift"]) and shift["found"]:
        first, second = (split_name(part) for part in shift["parts"])
        head = translate(
            "Shift: images of the {second} split differ from those of the {first} split.",
            first=first,
            second=second,
        )
        detail = translate(
            "A classifier tells them apart with an area under the ROC curve of {area} (0.5 if they came from "
            "one source), p = {p}. Thresholds, confidences and prediction sets chosen on one need not hold "
            "on the other.",
            area=f"{shift['told_apart']:.2f}",
            p=f"{shift['p']:.3f}",
        )
        yield Claim("broken", head, detail, _EVIDENCE)
    for found in checks["shortcuts"]:
        name = property_name(found["property"])
        head = translate("Shortcut: {property} gives the class away.", property=name)
        detail = translate(
            "Alone it tells the classes with a mean recall of {accuracy} ({low} to {high}); guessing reaches "
            "{chance}. The model may rely on it instead of on what the images show.",
            accuracy=percent(found["accuracy"]["value"]),
            low=percent(found["accuracy"]["low"]),
            high=percent(found["accuracy"]["high"]),
            chance=percent(found["chance"]),
        )
        yield Claim("open", head, detail, _EVIDENCE)
    if count := checks["leaks_removed"]:
        sentence = translate(
            "{count:image was|images were} left out because the same image is in another split: nothing is "
            "evaluated that was learned.",
            count=number(count),
        )
        yield Claim("kept", "", sentence, _EVIDENCE)
    if groups := checks["groups"]:
        yield _groups(groups["splits"], groups["shared"])


def property_name(name: str) -> str:
    """Return the name of a property that may be a shortcut."""
    match name:
        case "size":
            return translate("image size")
        case "camera":
            return translate("camera")
        case "compression":
            return translate("file format and compression")
        case "brightness":
            return translate("brightness and contrast")
        case "watermark":
            return translate("watermark")
        case _:
            return translate("border")


def _groups(splits: Mapping[Split, int], shared: int) -> Claim:
    counts = ", ".join(
        translate("{split}: {count:group|groups}", split=split_name(part), count=number(count))
        for part, count in splits.items()
        if count
    )
    if shared:
        sentence = translate(
            "Images come in groups (patients, lots or products): {counts}. {shared:group is|groups are} in "
            "several splits, so the metrics are too optimistic for new groups.",
            counts=counts,
            shared=number(shared),
        )
        return Claim("broken", "", sentence, _EVIDENCE)
    sentence = translate(
        "Images come in groups (patients, lots or products): {counts}. No group is in two splits.",
        counts=counts,
    )
    return Claim("kept", "", sentence, _EVIDENCE)
