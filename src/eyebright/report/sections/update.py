"""What an update changed: what was expected of new classes, and what it cost the classes of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.data.manifest import FOLDS
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.evaluation.paired import SIGNIFICANT
from eyebright.report.charts.interval import difference_dot, widest
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.report.update_content import ClassChange, ClassForecast, UpdateOutcome
from eyebright.text.format import listed, number, split_name
from eyebright.text.language import translate

_SHOWN_CLASSES = 40
# From this share of new images on, an image as foreign as they are is likely to be answered wrongly.
_FOREIGN = 0.2
_HASH = 12  # digits of a hash that people compare


@dataclass(frozen=True)
class ChangeRow:
    """A class with its recall before and after, as text, and the chart of the difference."""

    change: ClassChange
    words: str
    chart: Markup


def update(content: ReportContent) -> Section | None:
    """Return sentences about the update, and the change in recall of each class with its interval."""
    outcome = content.update
    if outcome is None:
        return None
    rows = sorted(outcome.classes, key=lambda c: (c.p, c.difference.value))[:_SHOWN_CLASSES]
    reach = widest(*(row.difference for row in rows))
    body = render(
        "sections/update.html",
        terms=_terms(outcome),
        sentences=[
            *forecast_sentences(outcome.expected, isinstance(content.metrics, LabelMetrics)),
            *foreign_sentence(outcome.foreign, outcome.scored, finetuned=outcome.finetuned),
            *change_sentences(outcome),
        ],
        rows=[
            ChangeRow(row, points(row), difference_dot(row.difference, reach, row.p < SIGNIFICANT))
            for row in rows
        ],
        hidden=len(outcome.classes) - len(rows),
        folds=outcome.split == FOLDS,
    )
    return Section("update", translate("What the update changed"), body)


def updated_from(outcome: UpdateOutcome) -> str:
    """Return which run was updated, with the beginning of its model's hash."""
    return f"{outcome.earlier} (SHA-256 {outcome.earlier_sha256[:_HASH]}…)"


def forecast_sentences(classes: Sequence[ClassForecast], multilabel: bool) -> Iterator[str]:
    """Yield, for each new class or label, which other it looks like and what the earlier model predicts."""
    for one in classes:
        if one.nearest is None:
            yield translate(
                "{label} is new, and unlike the other labels."
                if multilabel
                else "{label} is new, and unlike the other classes.",
                label=one.label,
            )
        else:
            yield translate(
                "{label} is new, and most likely to be confused with {nearest}. Of training images with only "
                "one of the two, {confused} of {count} with {label} look more like {nearest}, and {lost} of "
                "{compared} with {nearest} more like {label}."
                if multilabel
                else "{label} is new, and most likely to be confused with {nearest}: {confused} of "
                "{count:training image|training images} are nearer to the mean of {nearest}, and {lost} of "
                "{compared} of {nearest} nearer to the mean of {label}.",
                label=one.label,
                nearest=one.nearest,
                confused=one.confused,
                count=one.images,
                lost=one.lost,
                compared=one.compared,
            )
        most = sorted(one.predicted.items(), key=lambda item: (-item[1], item[0]))
        if most:
            yield translate(
                "Before the update, images of {label} are given labels that they do not have: {predicted}."
                if multilabel
                else "Before the update, images of {label} are predicted as: {predicted}.",
                label=one.label,
                predicted=listed([f"{name} ({count})" for name, count in most]),
            )


def foreign_sentence(foreign: int, scored: int, *, finetuned: bool) -> Iterator[str]:
    """Yield a warning where many new images are unlike those of the run."""
    if not scored or foreign < _FOREIGN * scored:
        return
    yield translate(
        "{foreign} of {count:new training image|new training images} are unlike the images of the run "
        "(unknown).",
        foreign=foreign,
        count=scored,
    )
    if finetuned:
        yield translate(
            "Warning: The backbone was fine-tuned without such images, and may not tell them apart. If "
            "accuracy is too low, train on all images with `eyebright train --finetune`."
        )


def change_sentences(outcome: UpdateOutcome) -> Iterator[str]:
    """Yield what the update cost the classes that both models know."""
    whole = outcome.everything
    if whole is None:
        return
    figures = {
        "before": number(whole.before),
        "after": number(whole.after),
        "difference": points(whole),
        "p": _chance(whole.p),
    }
    if outcome.split == FOLDS:
        yield translate(
            "Classes of the run, cross-validated on the same {count:image|images}: {before} correct before "
            "the update, {after} after it: {difference} percentage points, p = {p}.",
            count=whole.images,
            **figures,
        )
    else:
        yield translate(
            "Classes of the run, on the same {count:image|images} of the {part} split: {before} correct "
            "before the update, {after} after it: {difference} percentage points, p = {p}.",
            count=whole.images,
            part=split_name(outcome.split),
            **figures,
        )
    if whole.to_new:
        yield translate(
            "{count:image of these is|images of these are} now predicted as a new class.", count=whole.to_new
        )
    changed = [change for change in outcome.classes if change.p < SIGNIFICANT]
    for change in changed:
        yield translate(
            "The recall of {label} changed significantly: {difference} percentage points "
            "(p = {p}, adjusted).",
            label=change.label,
            difference=points(change),
            p=_chance(change.p),
        )
    if not changed:
        yield translate("No class has a significantly different recall.")


def points(change: ClassChange) -> str:
    """Return a difference in recall in percentage points with its interval."""
    interval = change.difference
    value, low, high = (f"{100 * part:+.1f}" for part in (interval.value, interval.low, interval.high))
    return translate("{value} ({low} to {high})", value=value, low=low, high=high)


def _terms(outcome: UpdateOutcome) -> list[tuple[str, str]]:
    """Return what was updated with what, as terms and values."""
    added = [f"{split_name(split)} {number(count)}" for split, count in outcome.added.items() if count]
    pairs = {
        translate("Updated from"): updated_from(outcome),
        translate("New images"): ", ".join(added),
        translate("New classes"): listed(list(outcome.new_classes)),
        translate("Corrected labels"): number(outcome.relabelled) if outcome.relabelled else "",
        translate("Renamed, merged or removed (-) classes"): listed(list(outcome.edits)),
    }
    return [(term, value) for term, value in pairs.items() if value]


def _chance(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"
