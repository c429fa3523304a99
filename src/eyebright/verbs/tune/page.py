"""The page of a search for settings: the best, which of them mattered, and every trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from eyebright.report.charts.axis import linear_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.charts.interval import plain_bar
from eyebright.report.markup import (
    Section,
    decimal,
    duration,
    name,
    number,
    paragraph,
    percent,
    table,
    terms,
    text,
)
from eyebright.report.page import document
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate

TrialState = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class TrialFigures:
    """One trial.

    Attributes:
        number: counted from 1.
        settings: by name, as text.
        state: "pruned" was stopped early because others were better by then.
        loss: the lowest on held-out training images; NaN where there is none.
        accuracy: where the loss was lowest.
        epochs: how many were trained.
        seconds: it took.
    """

    number: int
    settings: Mapping[str, str]
    state: TrialState
    loss: float
    accuracy: float
    epochs: int
    seconds: float


def write_search(
    path: Path, title: str, trials: Sequence[TrialFigures], importances: Mapping[str, float]
) -> None:
    """Writes the page to ``path``, whole or not at all.

    Args:
        path: where to.
        title: plain text.
        trials: in their order; at least one is complete.
        importances: share of the differences in loss that each setting explains; may be empty.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    best = best_trial(trials)
    sections = [_best(best), *([_importance(importances)] if importances else [])]
    sections += [_course(trials), _trials(trials, best)]
    write_text(path, document(title, paragraph(_verdict(trials, best), "verdict"), sections))


def best_trial(trials: Sequence[TrialFigures]) -> TrialFigures:
    """The complete one with the lowest loss."""
    return min((t for t in trials if t.state == "complete"), key=lambda t: t.loss)


def _verdict(trials: Sequence[TrialFigures], best: TrialFigures) -> str:
    return translate(
        "Best of {count:trial|trials}: trial {best}, with {accuracy} accuracy on the holdout images.",
        count=number(len(trials)),
        best=best.number,
        accuracy=percent(best.accuracy),
    )


def _best(best: TrialFigures) -> Section:
    note = translate(
        "Evaluated on holdout images of the training split. The validation and test splits were not used."
    )
    return Section("best", translate("Best settings"), paragraph(note) + terms(best.settings.items()))


def _importance(importances: Mapping[str, float]) -> Section:
    rows = [
        [name(setting), percent(share, 0), plain_bar(share)]
        for setting, share in sorted(importances.items(), key=lambda item: -item[1])
    ]
    head = [text(translate("Setting")), text(translate("Importance")), ""]
    intro = translate(
        "Share of the difference between good and bad trials that each setting explains (PED-ANOVA). "
        "After few trials, this is only a first indication."
    )
    title = translate("Importance of each setting")
    return Section("importance", title, paragraph(intro) + table(title, head, rows, "shares"))


def _course(trials: Sequence[TrialFigures]) -> Section:
    """Loss by trial, with the best so far."""
    done = [t for t in trials if t.state == "complete"]
    so_far = list(accumulate((t.loss for t in done), min))
    lines = [
        Line(translate("best so far"), [(t.number, low) for t, low in zip(done, so_far, strict=True)]),
        Line(translate("each trial"), [(t.number, t.loss) for t in done]),
    ]
    title = translate("Course of the search")
    # One hopeless trial must not press all others to the bottom.
    middle = sorted(t.loss for t in done)[len(done) // 2]
    axis = linear_axis([min(t.loss, 2 * middle) for t in done], lambda v: f"{v:.3g}")
    drawing = curve_chart(
        lines, linear_axis([t.number for t in done], lambda v: f"{v:.0f}", whole=True), axis, title
    )
    legend = "".join(
        f'<span class="{"second" if i else "first"}">{text(line.name)}</span>' for i, line in enumerate(lines)
    )
    heading = f"<h3>{text(translate('Holdout loss'))}</h3>"
    body = f'<figure class="single">{heading}<p class="legend">{legend}</p>{drawing}</figure>'
    return Section("course", title, body)


def _trials(trials: Sequence[TrialFigures], best: TrialFigures) -> Section:
    settings = list(dict.fromkeys(key for t in trials for key in t.settings))
    head = [
        text(translate("Trial")),
        text(translate("Holdout loss")),
        text(translate("Holdout accuracy")),
        *map(name, settings),
        text(translate("Epochs")),
        text(translate("Time")),
    ]
    rows = [
        [
            f"{number(t.number)}{_mark(t, best)}",
            decimal(t.loss),
            percent(t.accuracy),
            *(name(t.settings.get(key, "–")) for key in settings),
            number(t.epochs),
            text(duration(t.seconds)) if math.isfinite(t.seconds) else "–",
        ]
        for t in trials
    ]
    title = translate("All trials")
    return Section("trials", title, table(title, head, rows, "trials"))


def _mark(trial: TrialFigures, best: TrialFigures) -> str:
    if trial is best:
        return f' <span class="mark">✓ {text(translate("best"))}</span>'
    match trial.state:
        case "pruned":
            return f" <small>{text(translate('stopped early'))}</small>"
        case "failed":
            return f" <small>{text(translate('failed'))}</small>"
        case "complete":
            return ""
