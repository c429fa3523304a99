"""Kinds of findings in words."""

from __future__ import annotations

from collections.abc import Mapping

from eyebright.auditing.findings import PlantedResult
from eyebright.text.format import percent
from eyebright.text.language import translate
from eyebright.types import Interval

# Certainly fewer planted wrong labels are found than this share: a larger size is proposed, if one is left.
_ENOUGH = 0.75
_LARGEST_SIZE = 448


def title(kind: str) -> str:
    """Return the name of a kind of finding."""
    match kind:
        case "leak":
            return translate("Leaks between splits")
        case "exact_duplicate":
            return translate("Exact duplicates")
        case "near_duplicate":
            return translate("Near duplicates")
        case "label_error":
            return translate("Label errors")
        case "shift":
            return translate("Shift between splits")
        case "shortcut":
            return translate("Shortcuts")
        case "class_overlap":
            return translate("Classes that overlap")
        case "class_split":
            return translate("Classes that are two")
        case "imbalance":
            return translate("Rare classes")
        case "watermark":
            return translate("Watermarks")
        case "outlier":
            return translate("Outliers")
        case "blur":
            return translate("Blurred images")
        case "dark":
            return translate("Dark images")
        case "bright":
            return translate("Bright images")
        case "low_contrast":
            return translate("Images of low contrast")
        case "odd_size":
            return translate("Odd sizes and shapes")
        case "border":
            return translate("Borders")
        case _:
            return translate("Unreadable images")


def meaning(kind: str) -> str:
    """Return what a kind of finding is, and why it matters."""
    match kind:
        case "leak":
            return translate(
                "The same picture lies in two splits, so the evaluation asks for what was learned by heart. "
                "Keep the "
                "evaluated image, and leave its copies out of training."
            )
        case "exact_duplicate":
            return translate("Images with the same pixels. One of each set is enough.")
        case "near_duplicate":
            return translate(
                "The same picture again: resized, compressed, cropped, brightened, mirrored, turned or "
                "framed, or "
                "taken a moment later. Give such images one group, so that they stay in one split."
            )
        case "label_error":
            return translate(
                "Images that a classifier trained on the others takes for another class. Each is more "
                "likely wrong "
                "than right; look at it before you relabel it."
            )
        case "shift":
            return translate(
                "A classifier recognises which split an image comes from, better than by chance. Metrics of "
                "one split "
                "then say little about the other. The images that show it best:"
            )
        case "shortcut":
            return translate(
                "A property that has nothing to do with the subject gives the class away. A model may learn "
                "it instead."
            )
        case "class_overlap":
            return translate(
                "Pairs of classes that cannot be told apart by the features. Merge them, or define them "
                "more clearly. "
                "The images that are most easily mistaken:"
            )
        case "imbalance":
            return translate(
                "Classes with few images: little can be learned, and less be proved, about them."
            )
        case "class_split":
            return translate(
                "Classes whose images fall into two groups with hardly any in between: perhaps two "
                "classes under one name. The pictures are the most typical of both."
            )
        case "watermark":
            return translate(
                "A logo, date or other patch at the same place of many images. Where it comes with a class, "
                "the model may learn it instead of the class; see the shortcuts."
            )
        case "outlier":
            return translate("Images unlike all others, perhaps of something else.")
        case "blur":
            return translate("Images as unsharp as if they had been blurred.")
        case "dark":
            return translate("Images in which hardly anything is bright.")
        case "bright":
            return translate("Images in which hardly anything is dark.")
        case "low_contrast":
            return translate("Images whose grey levels lie close together.")
        case "odd_size":
            return translate("Images much larger, smaller, wider or narrower than usual.")
        case "border":
            return translate("Images in a uniform frame, as screenshots and scans have it.")
        case _:
            return translate("Files that cannot be read as images, or not to their end.")


def turn_name(turn: str) -> str:
    """Return how a copy lies on its image."""
    match turn:
        case "quarter turn" | "three-quarter turn":
            return translate("turned by a quarter")
        case "half turn":
            return translate("upside down")
        case "mirrored":
            return translate("mirrored")
        case "upright":
            return translate("upright")
        case _:
            return translate("mirrored and turned")


def budget_sentence(expected: float, budget: Mapping[int, Interval]) -> str:
    """Return how many wrong labels there probably are, and how many a look at the likeliest would find.

    Args:
        expected: wrong labels in all.
        budget: wrong labels among so many of the likeliest.
    """
    if not budget:
        return translate("Expected label errors: {expected}.", expected=f"{expected:.0f}")
    looked = next((count for count, some in budget.items() if some.value < count / 2), max(budget))
    return translate(
        "Expected label errors: {expected}. Look at the {looked} likeliest images: expect "
        "{found:wrong label|wrong labels}.",
        expected=f"{expected:.0f}",
        looked=looked,
        found=round(budget[looked].value),
    )


def label_hint(planted: PlantedResult | None, size: int) -> str | None:
    """Return that a larger input size may find more wrong labels; None where enough are found.

    Args:
        planted: how well wrong labels are found; None where they were not looked for.
        size: the input size in pixels.
    """
    if planted is None or planted.recall.high >= _ENOUGH or size > _LARGEST_SIZE // 2:
        return None
    return translate(
        "At {size} px only {share} of planted label errors are found. Details may tell these classes apart: "
        "try --size {larger}.",
        size=size,
        share=percent(planted.recall.value),
        larger=2 * size,
    )


def way_name(way: str) -> str:
    """Return how known copies of one kind are made."""
    match way:
        case "resize":
            return translate("resized to between half and twice the size")
        case "jpeg":
            return translate("JPEG of quality 40 to 90")
        case "crop":
            return translate("cropped by a tenth of each side")
        case "brightness":
            return translate("darkened or brightened")
        case "mirror":
            return translate("mirrored")
        case "rotation":
            return translate("turned by a quarter")
        case _:
            return translate("framed")
