"""The images that several runs evaluated, found by their content, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.errors import DataError
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.runs.predictions_csv import NAME, read_predictions
from eyebright.runs.run import Run
from eyebright.runtime.context import say


@dataclass(frozen=True)
class PairedImages:
    """N images with the predictions of R runs.

    Attributes:
        names: of the runs, all different.
        shas: (N,) of the images.
        rows: (R, N) the predictions.
        roots: (R,) folders that held the images of each run.
        left_out: (R,) images evaluated by each run but not by all others.
    """

    names: Sequence[str]
    shas: Sequence[str]
    rows: Sequence[Sequence[PredictionRow]]
    roots: Sequence[Path]
    left_out: Sequence[int]


def paired_images(runs: Sequence[Run]) -> PairedImages:
    """Return the images that all runs evaluated: those of the split that each run's metrics are of.

    Of images with equal bytes one counts. An image that lies under different labels is left out.

    Raises:
        DataError: there is none, or a run has no predictions to compare.
    """
    names = _names([run.directory for run in runs])
    evaluated = [_evaluated(run) for run in runs]
    shared = [sha for sha in evaluated[0] if all(sha in rows for rows in evaluated[1:])]
    kept = [sha for sha in shared if len({rows[sha].label for rows in evaluated}) == 1]
    if not kept:
        raise DataError(
            "Runs must have evaluated the same images, with the same labels. {runs} have none in "
            "common. Evaluate their models on one folder: eyebright evaluate MODEL DATA --out DIR.",
            runs=", ".join(names),
        )
    left_out = [len(rows) - len(kept) for rows in evaluated]
    if any(left_out):
        counts = ", ".join(f"{name}: {count}" for name, count in zip(names, left_out, strict=True))
        say(
            "Compared on the {images:image|images} that all runs evaluated. Not compared: {counts}.",
            images=len(kept),
            counts=counts,
        )
    if len(shared) > len(kept):
        text = "Not compared: {count:image|images} with different labels in these runs."
        say(text, count=len(shared) - len(kept))
    roots = [Path(run.stored.root) for run in runs]
    return PairedImages(names, kept, [[rows[sha] for sha in kept] for rows in evaluated], roots, left_out)


def _evaluated(run: Run) -> dict[str, PredictionRow]:
    """Return the predictions that the run's metrics are of, by the images' hashes."""
    found: dict[str, PredictionRow] = {}
    for row in read_predictions(run.directory / NAME):
        if row.split == run.stored.split:
            found.setdefault(row.sha, row)
    return found


def _names(directories: Sequence[Path]) -> list[str]:
    """Return the directories' own names, with as many parents as make them different."""
    parts = [directory.resolve().parts for directory in directories]
    for depth in range(1, max(map(len, parts))):
        names = ["/".join(path[-depth:]) for path in parts]
        if len(set(names)) == len(names):
            return names
    raise DataError(
        "Runs to compare must be different. {path} was given twice. Remove one.",
        path=next(str(d) for d in directories if parts.count(d.resolve().parts) > 1),
    )
