"""A manifest on disk: Parquet, written and read in pieces so that a million samples need little memory."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import DataError, NotFoundError
from eyebright.runtime.atomic import atomic_path
from eyebright.types import Skipped, StoredJson

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 65_536
_KEY = b"eyebright"
_WORD = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("label", _WORD),
        ("split", _WORD),
        ("sha", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("group", _WORD),
    ]
)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write ``manifest`` to ``path`` as Parquet, atomically.

    Columns: path, label, split, sha, width, height, group. All else is JSON in the schema.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    about = {
        "root": str(manifest.root),
        "skipped": [asdict(s) for s in manifest.skipped],
        "warnings": [asdict(s) for s in manifest.warnings],
        "several": manifest.label_set,
    }
    schema = _SCHEMA.with_metadata({_KEY: json.dumps(about, default=str).encode()})
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for start in range(0, len(manifest.samples), _ROWS):
            rows = manifest.samples[start : start + _ROWS]
            columns = [pa.array([getattr(s, f.name) for s in rows], f.type) for f in schema]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def read_manifest(path: Path) -> Manifest:
    """Read the manifest that :func:`write_manifest` wrote to ``path``.

    Raises:
        NotFoundError: ``path`` does not exist.
        DataError: ``path`` is not a manifest.
    """
    try:
        with pq.ParquetFile(path) as file:
            about = json.loads((file.schema_arrow.metadata or {})[_KEY])
            samples = tuple(_samples(file))
    except FileNotFoundError:
        raise NotFoundError("The manifest must exist. {path} does not. Check the path.", path=path) from None
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(
            "A manifest must be a Parquet file written by Eyebright. {path} is not ({error}). Use "
            "the manifest.parquet of a run.",
            path=path,
            error=error,
        ) from None
    label_set = about.get("several")
    return Manifest(
        Path(about["root"]),
        samples,
        _notes(about["skipped"]),
        _notes(about["warnings"]),
        None if label_set is None else tuple(label_set),
    )


def _samples(file: pq.ParquetFile) -> Iterator[Sample]:
    known: dict[Any, Any] = {}  # one object a class name, part and size, not one a row
    names = [field.name for field in _SCHEMA if field.name in file.schema_arrow.names]  # older ones lack some
    for batch in file.iter_batches(_ROWS, columns=names):
        columns = {name: batch.column(name).to_pylist() for name in names}
        for name in set(names) - {"path", "sha"}:
            columns[name] = [known.setdefault(value, value) for value in columns[name]]
        yield from map(Sample, *(columns[name] for name in names))


def _notes(rows: list[StoredJson]) -> tuple[Skipped, ...]:
    return tuple(Skipped(**row) for row in rows)
