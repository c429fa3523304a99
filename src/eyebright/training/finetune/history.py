"""``history.csv``: a row an epoch, the starting point as epoch 0."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from eyebright.runtime.atomic import write_text


@dataclass(frozen=True)
class EpochRow:
    """The metrics of one epoch; those that the starting point cannot have are NaN.

    Attributes:
        epoch: from 1; 0 is the network before its first step, and a last epoch may be a part of one.
        step: steps until its end.
        train_loss: mean over its images, augmented, while the weights moved.
        val_loss, val_accuracy: of the holdout images at its end, by the averaged weights where there are any.
        learning_rate: of the parameter group with the highest, at its end.
        images_per_second: while training.
        memory_mb: the most that was in use so far, of the device or, on a CPU, of the process.
        seconds: training and evaluation.
        waited_share: share of the training time in which the loop waited for data.
    """

    epoch: int
    step: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    images_per_second: float
    memory_mb: float
    seconds: float
    waited_share: float


_FIELDS = [field.name for field in fields(EpochRow)]


def write_history(path: Path, rows: Iterable[EpochRow]) -> None:
    """Write all rows, atomically; NaN becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for row in rows:
        writer.writerow(["" if math.isnan(value) else f"{value:.6g}" for value in asdict(row).values()])
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[EpochRow]:
    """Return the rows of a file that :func:`write_history` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [from_fields(row) for row in csv.DictReader(file)]


def from_fields(values: dict[str, str] | dict[str, float | None]) -> EpochRow:
    """Return a row from its values by name; what is empty or None is NaN."""
    numbers = {name: math.nan if values[name] in ("", None) else float(values[name] or 0) for name in _FIELDS}
    whole = {name: int(numbers[name]) for name in ("epoch", "step")}
    return EpochRow(**{**numbers, **whole})  # type: ignore[arg-type]
