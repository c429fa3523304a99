"""The log of a model at work: a Parquet file with one row a window of time; see docs/monitoring.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyebright.errors import DataError, NotFoundError
from eyebright.evaluation.intervals import Float64Array
from eyebright.monitoring.headed_table import StoredHead, read_table, write_table
from eyebright.monitoring.projection import WIDTH
from eyebright.monitoring.signals import BINS, SIGNALS
from eyebright.monitoring.sketch import SampledRows, Sketch, most_rows
from eyebright.runtime.stored import open_regular, reason_of

#: Rises when a column changes its meaning; such a log is not read as if it were another.
FORMAT = 1
#: Older windows are added up in pairs when there are more.
MOST_WINDOWS = 1024
_MOST_BYTES = 2**28
_UPPER = np.triu_indices(WIDTH)
_KEY = b"eyebright.monitor"
_SCHEMA = pa.schema(
    [
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("images", pa.int64()),
        ("unknown", pa.int64()),
        ("predicted", pa.list_(pa.int64())),
        *((signal, pa.list_(pa.int64())) for signal in SIGNALS),
        ("projected", pa.int64()),
        ("projection_sums", pa.list_(pa.float64())),
        ("projection_products", pa.list_(pa.float64())),
        ("row_keys", pa.list_(pa.float64())),
        ("row_probabilities", pa.list_(pa.float32())),
        ("row_scores", pa.list_(pa.float32())),
        ("row_projections", pa.list_(pa.float32())),
        ("row_names", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class Log:
    """Windows of one model's images.

    Attributes:
        model_sha256: of the sealed model that answered.
        labels: its K classes.
        windows: in the order of time.
    """

    model_sha256: str
    labels: tuple[str, ...]
    windows: tuple[Sketch, ...] = ()

    @property
    def images(self) -> int:
        """Return how many images were counted."""
        return sum(window.images for window in self.windows)

    @property
    def rows(self) -> SampledRows:
        """Return the sampled rows of all windows, the oldest first."""
        return SampledRows.joined(
            [SampledRows.empty(len(self.labels)), *(window.rows for window in self.windows)]
        )

    def followed_by(self, windows: Sequence[Sketch]) -> Log:
        """Return the log with further windows, sorted by their start and kept small."""
        found = sorted((*self.windows, *windows), key=lambda window: window.start)
        return replace(self, windows=_with_few_rows(_few(found), most_rows(len(self.labels))))

    def merged(self, other: Log) -> Log:
        """Return one log of two, as of two services with the same model.

        Raises:
            DataError: they are logs of different models.
        """
        if (self.model_sha256, self.labels) != (other.model_sha256, other.labels):
            raise DataError(
                "Logs to merge must be of the same model. One is of {one}, the other of {other}. Keep a "
                "log for each model.",
                one=self.model_sha256[:12],
                other=other.model_sha256[:12],
            )
        return self.followed_by(other.windows)

    def write(self, path: Path) -> None:
        """Write the log, whole or not at all.

        Raises:
            StorageError: the disk is full or must not be written.
        """
        table = pa.Table.from_pylist([_columns(window) for window in self.windows], schema=_SCHEMA)
        write_table(
            table, _KEY, StoredHead(format=FORMAT, model_sha256=self.model_sha256, labels=self.labels), path
        )

    @classmethod
    def read(cls, path: Path) -> Log:
        """Read a log.

        Raises:
            NotFoundError: there is no such file.
            DataError: it is damaged, or no log that this version reads.
        """
        try:
            with open_regular(path, _MOST_BYTES) as file:
                return _parsed(file.read())
        except FileNotFoundError:
            raise NotFoundError(
                "The log must exist. {path} does not. Record one with `eyebright predict RUN IMAGES --log "
                "{path}`, or by the service.",
                path=path,
            ) from None
        except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, MemoryError) as error:
            raise DataError(
                "A log must be a whole Parquet file that Eyebright wrote. {path} is not: {reason}. Restore "
                "it from a copy, or begin a new log.",
                path=path,
                reason=reason_of(error).partition("\n")[0],
            ) from None


def _few(windows: Sequence[Sketch]) -> list[Sketch]:
    found = list(windows)
    while len(found) > MOST_WINDOWS:
        old, rest = found[: MOST_WINDOWS // 2], found[MOST_WINDOWS // 2 :]
        found = [first.joined(second) for first, second in zip(old[::2], old[1::2], strict=True)] + rest
    return found


def _with_few_rows(windows: Sequence[Sketch], most: int) -> tuple[Sketch, ...]:
    """Return the windows with ``most`` rows in all, those of the newest."""
    kept, left = [], most
    for window in reversed(windows):
        rows = window.rows.sampled(left)
        kept.append(window if len(rows) == len(window.rows) else replace(window, rows=rows))
        left -= len(rows)
    return tuple(reversed(kept))


def _columns(window: Sketch) -> dict[str, object]:
    rows = window.rows
    return {
        "start": window.start,
        "end": window.end,
        "images": window.images,
        "unknown": window.unknown,
        "predicted": window.predicted,
        **dict(zip(SIGNALS, window.bins, strict=True)),
        "projected": window.projected,
        "projection_sums": window.projection_sums,
        "projection_products": window.projection_products[_UPPER],
        "row_keys": rows.keys,
        "row_probabilities": rows.probabilities.ravel(),
        "row_scores": rows.scores,
        "row_projections": rows.projections.ravel(),
        "row_names": list(rows.names),
    }


def _parsed(content: bytes) -> Log:
    head, table = read_table(content, _KEY, FORMAT, _SCHEMA)
    windows = tuple(_window(values, len(head.labels)) for values in table.to_pylist())
    if any(first.start > second.start for first, second in pairwise(windows)):
        raise ValueError("its windows are not in the order of time")
    return Log(head.model_sha256, head.labels, windows)


def _window(values: dict[str, Any], classes: int) -> Sketch:
    """Return a stored window, every number of which is doubted."""
    keys = _array(values["row_keys"], np.float64, (-1,))
    count = len(keys)
    rows = SampledRows(
        keys,
        _array(values["row_probabilities"], np.float32, (count, classes)),
        _array(values["row_scores"], np.float32, (count,), missing=True),
        _array(values["row_projections"], np.float32, (count, WIDTH), missing=True),
        tuple(str(name or "") for name in values["row_names"]),
    )
    start, end = _array([values["start"], values["end"]], np.float64, (2,)).tolist()
    window = Sketch(
        start,
        end,
        int(values["images"]),
        int(values["unknown"]),
        _array(values["predicted"], np.int64, (classes,)),
        np.stack([_array(values[signal], np.int64, (BINS,)) for signal in SIGNALS]),
        int(values["projected"]),
        _array(values["projection_sums"], np.float64, (WIDTH,)),
        _symmetric(values["projection_products"]),
        rows,
    )
    counts = [window.unknown, window.projected, count, *window.bins.sum(axis=1).tolist()]
    if (
        window.start > window.end
        or len(rows.names) != count
        or max(counts) > window.images
        or min(counts) < 0
    ):
        raise ValueError("its counts contradict each other")
    if min(window.predicted.min(initial=0), window.bins.min()) < 0:
        raise ValueError("a count is below 0")
    if count and not (rows.probabilities.min() >= 0 and rows.probabilities.max() <= 1.0001):
        raise ValueError("a probability is not between 0 and 1")
    return window


def _symmetric(values: object) -> Float64Array:
    """Return a table (WIDTH, WIDTH) of its upper half."""
    table = np.zeros((WIDTH, WIDTH))
    table[_UPPER] = _array(values, np.float64, (len(_UPPER[0]),))
    return np.asarray(table + np.triu(table, 1).T)


def _array(values: object, dtype: Any, shape: tuple[int, ...], *, missing: bool = False) -> Any:
    """Return numbers of one shape, finite unless they may be missing."""
    found = np.array(values, dtype).reshape(shape)
    if not missing and not np.isfinite(found).all():
        raise ValueError("a number is not finite")
    return found
