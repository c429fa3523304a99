"""What is compared, and what the figures say in plain words: never more than they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.paired import Difference
from eyebright.text.language import translate
from eyebright.types import Interval, Split
from eyebright.verbs.compare.changes import Changed


@dataclass(frozen=True)
class Compared:
    """One run: its name, where it lies, the part it judged, and its figures on the common images."""

    name: str
    path: str
    split: Split
    accuracy: Interval
    log_loss: Interval


@dataclass(frozen=True)
class ComparisonContent:
    """What is compared.

    Attributes:
        runs: R of them.
        images: N, which all of them judged.
        left_out: (R,) images of each run that another did not judge.
        differences: of every pair of runs.
        labels: (N,) true classes.
        right: (R, N) whether each run named each image right.
        changed: images that the runs name differently, those that tell most first.
    """

    runs: Sequence[Compared]
    images: int
    left_out: Sequence[int]
    differences: Sequence[Difference]
    labels: Sequence[str]
    right: npt.NDArray[np.bool_]
    changed: Sequence[Changed]

    @property
    def winner(self) -> str | None:
        """The run that is shown to be more accurate than every other, if any."""
        for i, run in enumerate(self.runs):
            if all(d.better == i for d in self.differences if i in (d.first, d.second)):
                return run.name
        return None


def verdict(content: ComparisonContent) -> list[str]:
    """What the figures say, in plain sentences: of accuracy, then of log loss where two are compared."""
    names = [run.name for run in content.runs]
    if len(names) == 2:
        (difference,) = content.differences
        return [_of_accuracy(difference, names), _of_loss(difference, names)]
    if content.winner is not None:
        sentence = translate("{run} is significantly more accurate than every other run.", run=content.winner)
        return [sentence]
    return [translate("No run is significantly more accurate than all others.")]


def points(interval: Interval) -> str:
    """A difference of shares in percentage points with its interval, as text."""
    value, low, high = (f"{100 * v:+.1f}" for v in (interval.value, interval.low, interval.high))
    return translate("{value} points ({low} to {high})", value=value, low=low, high=high)


def _of_accuracy(d: Difference, names: Sequence[str]) -> str:
    facts = {"first": names[d.first], "second": names[d.second], "difference": points(d.accuracy)}
    if d.better is None:
        return translate(
            "No significant difference in accuracy: {second} vs. {first} {difference}.",
            **facts,
        )
    better, worse = names[d.better], names[d.first + d.second - d.better]
    return translate(
        "{better} is significantly more accurate than {worse}: {second} against {first} {difference}.",
        better=better,
        worse=worse,
        **facts,
    )


def _of_loss(d: Difference, names: Sequence[str]) -> str:
    between = losses(d.log_loss)
    if d.better_loss is None:
        return translate("No significant difference in log loss: {difference}.", difference=between)
    return translate(
        "The probabilities of {better} are significantly better: log loss {difference}.",
        better=names[d.better_loss],
        difference=between,
    )


def losses(interval: Interval) -> str:
    """A difference of log losses with its interval, as text."""
    value, low, high = (f"{v:+.3f}" for v in (interval.value, interval.low, interval.high))
    return translate("{value} ({low} to {high})", value=value, low=low, high=high)
