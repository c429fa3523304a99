"""`reference.parquet` in a run: what its model predicts for validation images, as they are and corrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyebright.errors import DataError
from eyebright.monitoring.headed_table import StoredHead, read_table, write_table
from eyebright.monitoring.projection import WIDTH
from eyebright.monitoring.signals import LOOKS
from eyebright.runtime.stored import open_regular, reason_of
from eyebright.types import BoolArray, FloatArray

NAME = "reference.parquet"
FORMAT = 1
_MOST_BYTES = 2**28
_KEY = b"eyebright.reference"
_TABLES = {"probabilities": None, "projections": WIDTH, "looks": len(LOOKS)}


@dataclass(frozen=True)
class Reference:
    """A model's predictions for M labelled images that it did not learn from, and for corrupted ones.

    Attributes:
        model_sha256: of the sealed model.
        labels: its K classes.
        corruptions: (M,) what befell each image; empty of those that are as they were.
        correct: (M,) whether the model's class, or all of its labels, are right.
        probabilities: (M, K).
        scores: (M,) OOD scores; NaN of a model without.
        projections: (M, WIDTH) of the features; NaN of a model whose features are not known.
        looks: (M, 4), see :data:`monitoring.signals.LOOKS`.
    """

    model_sha256: str
    labels: tuple[str, ...]
    corruptions: Sequence[str]
    correct: BoolArray
    probabilities: FloatArray
    scores: FloatArray
    projections: FloatArray
    looks: FloatArray

    @property
    def clean(self) -> Reference:
        """Return the images as they were."""
        return self._at(np.array([not kind for kind in self.corruptions], bool))

    def _at(self, kept: BoolArray) -> Reference:
        return Reference(
            self.model_sha256,
            self.labels,
            [kind for kind, keep in zip(self.corruptions, kept, strict=True) if keep],
            self.correct[kept],
            self.probabilities[kept],
            self.scores[kept],
            self.projections[kept],
            self.looks[kept],
        )


def write_reference(reference: Reference, path: Path) -> None:
    """Write a reference as Parquet, whole or not at all; one row an image.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    columns: dict[str, Any] = {
        "corruption": pa.array(reference.corruptions, pa.string()),
        "correct": pa.array(reference.correct),
        "score": pa.array(reference.scores, pa.float32()),
    }
    for name in _TABLES:
        table: FloatArray = getattr(reference, name)
        flat = pa.array(np.ascontiguousarray(table, np.float32).ravel())
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, table.shape[1])
    head = StoredHead(format=FORMAT, model_sha256=reference.model_sha256, labels=tuple(reference.labels))
    write_table(pa.table(columns), _KEY, head, path)


def read_reference(path: Path) -> Reference:
    """Read a reference.

    Raises:
        DataError: it is damaged, or no reference that this version reads.
    """
    try:
        with open_regular(path, _MOST_BYTES) as file:
            return _parsed(file.read())
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, MemoryError) as error:
        raise DataError(
            "A reference must be a whole file that `eyebright monitor` wrote. {path} is not: {reason}. "
            "Delete it, and it is measured again from the run's images.",
            path=path,
            reason=reason_of(error).partition("\n")[0],
        ) from None


def _parsed(content: bytes) -> Reference:
    head, table = read_table(content, _KEY, FORMAT)
    widths = _TABLES | {"probabilities": len(head.labels)}
    tables = {name: _table(table[name], len(table), width) for name, width in widths.items()}
    probabilities, looks = tables["probabilities"], tables["looks"]
    if not (np.isfinite(looks).all() and probabilities.min() >= 0 and probabilities.max() <= 1.0001):
        raise ValueError("a number is not what it can be")
    return Reference(
        head.model_sha256,
        head.labels,
        [str(kind) for kind in table["corruption"].to_pylist()],
        np.array(table["correct"].to_pylist(), bool),
        scores=np.array(table["score"].to_numpy(), np.float32),
        **tables,
    )


def _table(column: pa.ChunkedArray, rows: int, width: int | None) -> FloatArray:
    flat = column.combine_chunks().flatten().to_numpy()
    return np.array(flat, np.float32).reshape(rows, width or 0)
