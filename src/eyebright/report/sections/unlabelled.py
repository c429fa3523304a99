"""What unlabelled images brought: the head with and without them, on the same held-out images."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.few_labels.unlabelled import UnlabelledOutcome
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.language import translate
from eyebright.types import Interval


def unlabelled(content: ReportContent) -> Section | None:
    """Return both accuracies, their difference, and which images were used; None without such images."""
    found = content.unlabelled
    if found is None:
        return None
    body = render(
        "sections/unlabelled.html",
        found=found,
        sentence=outcome_sentence(found),
        gain=_points,
        signed=_signed,
    )
    return Section("unlabelled", translate("Unlabelled images"), body)


def outcome_sentence(found: UnlabelledOutcome) -> str:
    """Return what unlabelled images brought and whether the model learned from them, as sentences."""
    if found.gain is None:
        if found.used:
            return translate(
                "The model did not learn from unlabelled images: no class has labelled images enough to hold "
                "some out, so nothing can show whether they help. Label 2 images or more of each class."
            )
        return translate(
            "The model did not learn from unlabelled images: {count} of them are unlike the labelled ones, "
            "and too few are left.",
            count=found.unlike,
        )
    value, low, high = _points(found.gain)
    said = {"used": found.used, "value": value, "low": low, "high": high}
    if not found.kept:
        return translate(
            "The model did not learn from {used} unlabelled images: on held-out images, accuracy (changed by "
            "{value} percentage points, {low} to {high}) and Brier score together do not speak for them.",
            **said,
        )
    if found.shown:
        return translate(
            "The model learned from {used:unlabelled image|unlabelled images} too. Held-out accuracy changed "
            "by {value} percentage points ({low} to {high}); the gain is significant.",
            **said,
        )
    return translate(
        "The model learned from {used:unlabelled image|unlabelled images} too. Held-out accuracy changed by "
        "{value} percentage points ({low} to {high}); so few labels do not show a gain significantly.",
        **said,
    )


def _points(gain: Interval) -> Sequence[str]:
    """Return a difference and its limits in percentage points, with signs."""
    return [f"{100 * part:+.1f}" for part in (gain.value, gain.low, gain.high)]


def _signed(change: Interval) -> Sequence[str]:
    """Return a difference and its limits, with signs."""
    return [f"{part:+.3f}" for part in (change.value, change.low, change.high)]
