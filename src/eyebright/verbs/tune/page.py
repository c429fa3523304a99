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
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.runtime.atomic import write_text
from eyebright.text.format import percent
from eyebright.text.language import translate

TrialState = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class TrialFigures:
    """One trial.

    Attributes:
        number: counted from 1.
        settings: by name, as text.
        state: "pruned" was stopped early because others were better by then.
        loss: the lowest on holdout images; NaN where there is none.
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

    @property
    def timed(self) -> bool:
        """Return whether it is known how long it took."""
        return math.isfinite(self.seconds)


def write_search(
    path: Path, title: str, trials: Sequence[TrialFigures], importances: Mapping[str, float]
) -> None:
    """Write the page to ``path``, whole or not at all.

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
    head = render("verdict.html", sentences=[_verdict(trials, best)])
    write_text(path, document(title, head, sections))


def best_trial(trials: Sequence[TrialFigures]) -> TrialFigures:
    """Return the complete trial with the lowest loss."""
    return min((t for t in trials if t.state == "complete"), key=lambda t: t.loss)


def _verdict(trials: Sequence[TrialFigures], best: TrialFigures) -> str:
    return translate(
        "Best of {count:trial|trials}: trial {best}, with {accuracy} accuracy on the holdout images.",
        count=len(trials),
        best=best.number,
        accuracy=percent(best.accuracy),
    )


def _best(best: TrialFigures) -> Section:
    return Section("best", translate("Best settings"), render("tune/best.html", settings=best.settings))


def _importance(importances: Mapping[str, float]) -> Section:
    rows = [
        (setting, share, plain_bar(share))
        for setting, share in sorted(importances.items(), key=lambda item: -item[1])
    ]
    body = render("tune/importance.html", rows=rows)
    return Section("importance", translate("Importance of each setting"), body)


def _course(trials: Sequence[TrialFigures]) -> Section:
    """Return the loss by trial, with the best so far."""
    done = [t for t in trials if t.state == "complete"]
    so_far = list(accumulate((t.loss for t in done), min))
    lines = [
        Line(translate("best so far"), [(t.number, low) for t, low in zip(done, so_far, strict=True)]),
        Line(translate("each trial"), [(t.number, t.loss) for t in done]),
    ]
    title = translate("Course of the search")
    # One hopeless trial must not press all others to the bottom.
    middle = sorted(t.loss for t in done)[len(done) // 2]
    y = linear_axis([min(t.loss, 2 * middle) for t in done], lambda v: f"{v:.3g}")
    x = linear_axis([t.number for t in done], lambda v: f"{v:.0f}", whole=True)
    chart = curve_chart(lines, x, y, title)
    body = render("tune/course.html", chart=chart, legend=[line.name for line in lines])
    return Section("course", title, body)


def _trials(trials: Sequence[TrialFigures], best: TrialFigures) -> Section:
    settings = list(dict.fromkeys(key for t in trials for key in t.settings))
    body = render("tune/trials.html", trials=trials, best=best, settings=settings)
    return Section("trials", translate("All trials"), body)
