"""What image and text each tell, and whether the text gives the class away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.format import listed
from eyebright.text.language import translate
from eyebright.types import Interval

_MOST_WORDS = 12


@dataclass(frozen=True)
class ModalityRow:
    """What the model is given, its accuracy, and what that is more than of the image alone."""

    name: str
    accuracy: Interval
    gain: Interval | None


def modalities(content: ReportContent) -> Section | None:
    """Return accuracy by what the model is given; None of a model that reads no texts."""
    found, leak = content.modalities, content.text_leak
    if found is None:
        return None
    rows = [
        ModalityRow(translate("image alone"), found.image, None),
        ModalityRow(translate("text alone"), found.text, None),
        ModalityRow(translate("image and text"), found.both, found.gain),
    ]
    masked: Sequence[ModalityRow] = ()
    words = ""
    if leak is not None and leak.masked is not None:
        masked = [
            ModalityRow(translate("text alone"), leak.masked.text, None),
            ModalityRow(translate("image and text"), leak.masked.both, leak.masked.gain),
        ]
    if leak is not None:
        words = listed(sorted({word for some in leak.words.values() for word in some}), _MOST_WORDS)
    body = render(
        "sections/modalities.html",
        found=found,
        rows=rows,
        gain=gain_sentence(found.gain),
        leak=leak,
        masked=masked,
        words=words,
    )
    return Section("modalities", translate("Image and text"), body)


def gain_sentence(gain: Interval) -> str:
    """Return what the text adds to the image, as a sentence."""
    value, low, high = (f"{100 * part:+.1f}" for part in (gain.value, gain.low, gain.high))
    if gain.low > 0:
        return translate(
            "The text adds {value} points to the image alone ({low} to {high}).",
            value=value,
            low=low,
            high=high,
        )
    if gain.high < 0:
        return translate(
            "The text takes {value} points from the image alone ({low} to {high}).",
            value=value,
            low=low,
            high=high,
        )
    return translate(
        "Whether the text adds anything to the image is not shown: {value} points ({low} to {high}).",
        value=value,
        low=low,
        high=high,
    )
