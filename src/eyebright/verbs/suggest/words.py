"""Why an image is worth a label, and what more labels may bring, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.few_labels.expected import ExpectedGain
from eyebright.few_labels.suggesting import ImageChoice
from eyebright.text.format import percent, percent_range
from eyebright.text.language import translate


def reason_sentence(choice: ImageChoice, labels: Sequence[str]) -> str:
    """Return why the image was chosen."""
    if choice.reason == "typical":
        return translate(
            "typical of {alike:image|images} that look alike; the model takes it for {first} ({probability})",
            alike=choice.alike,
            first=labels[choice.first],
            probability=percent(choice.probability, 0),
        )
    return translate(
        "the model hesitates between {first} ({probability}) and {second}; {alike:image looks|images look} "
        "alike",
        alike=choice.alike,
        first=labels[choice.first],
        second=labels[choice.second],
        probability=percent(choice.probability, 0),
    )


def gain_sentences(expected: ExpectedGain | None, count: int) -> list[str]:
    """Return what so many labels may bring, and whether it is time to stop."""
    if expected is None:
        return [
            translate(
                "There are too few labels to forecast what more of them bring: that takes about 15 of the "
                "ordinary class."
            )
        ]
    said = translate(
        "With {count:more label|more labels}, held-out accuracy is forecast at {value} ({range}); now it is "
        "{now}.",
        count=count,
        value=percent(expected.accuracy.value),
        range=percent_range(expected.accuracy),
        now=percent(expected.now),
    )
    if expected.worth_it:
        return [said]
    return [said, translate("You may stop: twice as many labels would hardly help.")]
