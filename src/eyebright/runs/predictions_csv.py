"""`predictions.csv`: one row an image, by which runs are compared."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from eyebright.data.manifest import FOLDS, SPLITS
from eyebright.errors import DataError
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.runtime.atomic import atomic_path
from eyebright.runtime.compact.rows import values
from eyebright.runtime.stored import MOST_TEXT_BYTES, open_regular, reason_of

NAME = "predictions.csv"
_ROUNDING = 1e-6
_COLUMNS = ("path", "split", "label", "predicted", "confidence", "label_probability", "sha")
_GROUP = "group"


def write_predictions(path: Path, rows: Sequence[PredictionRow], labels: Sequence[str] = ()) -> None:
    """Write one row an image as CSV; of multi-label models with the probability of each of ``labels``.

    A last column `group` holds the groups of images, where the data has such.

    The true class's probability has nine significant figures, so that a loss is the same from the file.
    """
    grouped = any(values(rows, "group"))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*_COLUMNS, *(f"p({label})" for label in labels), *((_GROUP,) if grouped else ())))
        writer.writerows(
            (
                r.path,
                r.split,
                r.label,
                r.predicted,
                f"{r.confidence:.6f}",
                "" if r.label_probability is None else f"{r.label_probability:.9g}",
                r.sha,
                *(f"{p:.6f}" for p in r.probabilities),
                *((r.group,) if grouped else ()),
            )
            for r in rows
        )


def read_predictions(path: Path) -> list[PredictionRow]:
    """Read the rows that :func:`write_predictions` wrote.

    Raises:
        DataError: the file is missing, or is not such a file.
    """
    try:
        binary = open_regular(path, MOST_TEXT_BYTES)
        with TextIOWrapper(binary, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ())[: len(_COLUMNS)] != _COLUMNS:
                raise ValueError("its columns are " + ", ".join(reader.fieldnames or ()))
            return [_row(values) for values in reader]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(
            "A run to compare must contain a predictions.csv with the columns {columns}. {path}: "
            "{reason}. Train or evaluate again with this version.",
            columns=", ".join(_COLUMNS),
            path=path,
            reason=reason_of(error),
        ) from None


def _row(values: dict[str, str]) -> PredictionRow:
    split = next((known for known in (*SPLITS, FOLDS) if known == values["split"]), None)
    if split is None:
        raise ValueError(f"a split is {values['split']!r}")
    confidence, label_probability = (float(values[name]) for name in ("confidence", "label_probability"))
    if not all(-_ROUNDING <= share <= 1 + _ROUNDING for share in (confidence, label_probability)):
        raise ValueError("a probability is not between 0 and 1")
    return PredictionRow(
        values["path"],
        split,
        values["label"],
        values["predicted"],
        confidence,
        label_probability,
        values["sha"],
        group=values.get(_GROUP) or "",
    )
