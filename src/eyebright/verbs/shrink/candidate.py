"""Candidates of a search for a smaller model: their metrics, and which of them is selected."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from eyebright.evaluation.intervals import share_of
from eyebright.exporting.base import Precision
from eyebright.runtime.atomic import write_text
from eyebright.types import Interval
from eyebright.verbs.shrink.targets import Target

_COLUMNS = (
    "name",
    "precision",
    "accuracy",
    "low",
    "high",
    "latency_ms",
    "size_bytes",
    "meets",
    "best",
    "selected",
)


@dataclass(frozen=True, kw_only=True)
class ShrinkCandidate:
    """A sealed model that was made and measured.

    Attributes:
        name: how it was made.
        path: of the file.
        precision: of its arithmetic.
        correct, count: validation images predicted correctly, of how many.
        size_bytes: of the file.
        latency_ms: of one image with one thread.
    """

    name: str
    path: Path
    precision: Precision
    correct: int
    count: int
    size_bytes: int
    latency_ms: float = float("nan")

    @property
    def accuracy(self) -> Interval:
        """Return the accuracy on the validation images."""
        return share_of(self.correct, self.count)

    def excess(self, targets: Sequence[Target]) -> float:
        """Return by which factor it misses its worst target; at most 1 where it meets all."""
        return max(target.excess(self.latency_ms, self.size_bytes) for target in targets)

    def meets(self, targets: Sequence[Target]) -> bool:
        """Return whether it meets every target."""
        return self.excess(targets) <= 1

    def beaten(self, others: Sequence[ShrinkCandidate]) -> bool:
        """Return whether another is at least as good in everything, and better in something."""
        mine = self._costs()
        return any(
            all(a <= b for a, b in zip(other._costs(), mine, strict=True)) and other._costs() != mine
            for other in others
        )

    def _costs(self) -> tuple[float, float, float]:
        return (-self.correct / self.count, self.latency_ms, float(self.size_bytes))


def choose(candidates: Sequence[ShrinkCandidate], targets: Sequence[Target]) -> ShrinkCandidate:
    """Return the most accurate that meets all targets, the quickest of equals; else the closest to them."""
    fitting = [c for c in candidates if c.meets(targets)]
    if fitting:
        return max(fitting, key=lambda c: (c.correct / c.count, -c.latency_ms))
    return min(candidates, key=lambda c: c.excess(targets))


def first_good(found: Iterable[ShrinkCandidate], enough: float) -> ShrinkCandidate:
    """Return the first that predicts enough images correctly; else the most accurate, the first of equals.

    Later ones are not made, and the files of those that lost are removed.

    Args:
        found: one or more, each with a file of its own.
        enough: images predicted correctly.
    """
    rest = iter(found)
    best = next(rest)
    while best.correct < enough and (other := next(rest, None)) is not None:
        best, loser = (other, best) if other.correct > best.correct else (best, other)
        loser.path.unlink()
    return best


@dataclass(frozen=True, kw_only=True)
class CandidateFigures:
    """A candidate among the others, as `pareto.json`, `pareto.csv` and the page show it.

    Attributes:
        name: how it was made.
        file: its name.
        precision: of its arithmetic.
        images: how many validation images it was evaluated on.
        accuracy: on them.
        latency_ms: of one image with one thread.
        size_bytes: of the sealed file.
        meets: whether it meets every target.
        best: whether no other is at least as good in everything and better in something.
        selected: whether it was selected.
    """

    name: str
    file: str
    precision: Precision
    images: int
    accuracy: Interval
    latency_ms: float
    size_bytes: int
    meets: bool
    best: bool
    selected: bool


def figures(
    candidates: Sequence[ShrinkCandidate], targets: Sequence[Target], selected: ShrinkCandidate
) -> list[CandidateFigures]:
    """Return each candidate with how it compares with the targets and with the others."""
    return [
        CandidateFigures(
            name=c.name,
            file=c.path.name,
            precision=c.precision,
            images=c.count,
            accuracy=c.accuracy,
            latency_ms=c.latency_ms,
            size_bytes=c.size_bytes,
            meets=c.meets(targets),
            best=not c.beaten(candidates),
            selected=c is selected,
        )
        for c in candidates
    ]


def write_csv(path: Path, found: Sequence[CandidateFigures]) -> None:
    """Write one row a candidate."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in found:
        interval = asdict(one.accuracy)
        row = {**asdict(one), **interval, "accuracy": interval["value"]}
        writer.writerow([row[column] for column in _COLUMNS])
    write_text(path, text.getvalue())
