"""The images that several runs evaluated, found by their content, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.data.fixes import FIXES, read_fixes
from eyebright.errors import DataError
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.runs.predictions_csv import NAME, read_predictions
from eyebright.runs.run import Run
from eyebright.runtime.context import say
from eyebright.types import BoolArray


@dataclass(frozen=True)
class PairedImages:
    """N images with the predictions of R runs.

    Attributes:
        names: of the runs, all different.
        labels: (N,) by which the runs are compared: where they differ, those of the run that corrected them.
        rows: (R, N) the predictions, with the labels that each run had.
        roots: (R,) folders that held the images of each run.
        left_out: (R,) images evaluated by each run but not by all others.
    """

    names: Sequence[str]
    labels: Sequence[str]
    rows: Sequence[Sequence[PredictionRow]]
    roots: Sequence[Path]
    left_out: Sequence[int]

    @property
    def agreed(self) -> BoolArray:
        """Return (N,) whether an image has the same label in all runs."""
        same = [
            all(row.label == label for row in rows)
            for *rows, label in zip(*self.rows, self.labels, strict=True)
        ]
        return np.array(same, np.bool_)


def paired_images(runs: Sequence[Run]) -> PairedImages:
    """Return the images that all runs evaluated: those of the split that each run's metrics are of.

    Of images with equal bytes one counts. Where labels differ, those count that a run's fixes gave, of
    several runs the last one's; an image under different labels that no fixes gave is left out.

    Raises:
        DataError: there is none, or a run has no predictions to compare.
    """
    names = _names([run.directory for run in runs])
    evaluated = [_evaluated(run) for run in runs]
    shared = [sha for sha in evaluated[0] if all(sha in rows for rows in evaluated[1:])]
    corrected = [_corrected(run) for run in runs]
    label_of = {sha: _label([rows[sha] for rows in evaluated], corrected) for sha in shared}
    labels = {sha: label for sha, label in label_of.items() if label is not None}
    kept = list(labels)
    paired = [[rows[sha] for sha in kept] for rows in evaluated]
    roots = [Path(run.stored.root) for run in runs]
    left_out = [len(rows) - len(kept) for rows in evaluated]
    found = PairedImages(names, list(labels.values()), paired, roots, left_out)
    if not found.agreed.any():
        raise DataError(
            "Runs must have evaluated the same images, with the same labels. {runs} have none in "
            "common. Evaluate their models on one folder: eyebright evaluate MODEL DATA --out DIR.",
            runs=", ".join(names),
        )
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
    return found


def _label(rows: Sequence[PredictionRow], corrected: Sequence[Set[str]]) -> str | None:
    """Return the label that an image is compared by; None where runs differ and none corrected it."""
    if len({row.label for row in rows}) == 1:
        return rows[0].label
    fixed = [row.label for row, paths in zip(rows, corrected, strict=True) if row.path in paths]
    return fixed[-1] if fixed else None


def _corrected(run: Run) -> Set[str]:
    """Return the paths of the images that a run's fixes gave another label."""
    path = run.directory / FIXES
    if not path.is_file():
        return frozenset()
    return {fix.image for fix in read_fixes(path).rows if fix.action == "relabel"}


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
