"""``history.csv`` of pretraining: a row an epoch, the network as it was given as epoch 0."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from eyebright.runtime.atomic import write_text
from eyebright.types import Json


@dataclass(frozen=True)
class PretrainRow:
    """The figures of one epoch; those that there are none of are NaN.

    Attributes:
        epoch: from 1; 0 is the network before its first step, and the last may be a part of one.
        step: steps until its end.
        loss: mean over its images.
        effective_rank, projected_rank, knn_accuracy, knn_consistency: see
            :class:`~eyebright.training.pretrain.health.Health`.
        learning_rate: of the backbone's last block, at its end, as ``--lr`` names it.
        images_per_second: while training, each with all its views.
        memory_mb: the most that was in use so far, of the device or, on a CPU, of the process.
        seconds: training and measuring.
    """

    epoch: int
    step: int
    loss: float
    effective_rank: float
    projected_rank: float
    knn_accuracy: float
    knn_consistency: float
    learning_rate: float
    images_per_second: float
    memory_mb: float
    seconds: float


FIELDS = tuple(field.name for field in fields(PretrainRow))


def write_pretrain_history(path: Path, rows: Iterable[PretrainRow]) -> None:
    """Write all rows, atomically; NaN becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in rows:
        writer.writerow(["" if math.isnan(value) else f"{value:.6g}" for value in asdict(row).values()])
    write_text(path, text.getvalue())


def read_pretrain_history(path: Path) -> list[PretrainRow]:
    """Return the rows of a file that :func:`write_pretrain_history` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row_of({name: value or None for name, value in row.items()}) for row in csv.DictReader(file)]


def row_of(values: Mapping[str, Json]) -> PretrainRow:
    """Return a row from its values by name; None is NaN."""
    numbers = {name: math.nan if values[name] is None else float(str(values[name])) for name in FIELDS}
    epoch, step = (int(numbers.pop(name)) for name in ("epoch", "step"))
    return PretrainRow(epoch, step, **numbers)


def row_to_json(row: PretrainRow) -> dict[str, Json]:
    """Return plain values; NaN, which JSON lacks, becomes None."""
    return {name: None if math.isnan(value) else value for name, value in asdict(row).items()}
