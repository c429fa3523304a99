"""A manifest on disk: Parquet, written and read in pieces so that a million samples need little memory."""

from __future__ import annotations

import json
import math
import stat
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.splits.facts import SplitFacts
from eyebright.data.table.chosen import Columns
from eyebright.errors import DataError, NotFoundError
from eyebright.runtime.atomic import atomic_path
from eyebright.runtime.compact.rows import from_columns
from eyebright.text.language import english
from eyebright.types import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS, _READ_ROWS = 65_536, 8_192  # what is read at once stands in memory twice
_KEY, _DIGEST = b"eyebright", b"eyebright.blake2b"
_HASH = 32  # hexadecimal digits
# Columns that older manifests lack; the second ones came before the digest did.
_LATEST, _LATER = ("unit", "time", "weight", "text"), ("group", "white_level", "content")
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
        ("white_level", pa.int64()),
        ("content", pa.string()),
        ("unit", pa.string()),
        ("time", pa.string()),
        ("weight", pa.float64()),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True)
class _About:
    """What a manifest says besides its samples."""

    root: str
    skipped: tuple[Skipped, ...]
    warnings: tuple[Skipped, ...]
    several: tuple[str, ...] | None = None
    facts: SplitFacts | None = None
    columns: Columns | None = None


_ABOUT = TypeAdapter(_About)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write ``manifest`` to ``path`` as Parquet, atomically.

    Columns: those of :class:`Sample`. All else is JSON in the schema.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    about = {
        "root": str(manifest.root),
        "skipped": [asdict(s) for s in manifest.skipped],
        "warnings": [asdict(s) for s in manifest.warnings],
        "several": manifest.label_set,
        "facts": None if manifest.facts is None else asdict(manifest.facts),
        "columns": None if manifest.columns is None else asdict(manifest.columns),
    }
    text = json.dumps(about, default=str).encode()
    schema = _SCHEMA.with_metadata({_KEY: text, _DIGEST: _digest(text, len(manifest.samples))})
    with atomic_path(path) as temporary, _writer(temporary, schema) as writer:
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
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise ValueError("not a regular file")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            stored = file.schema_arrow.metadata or {}
            samples = from_columns(Sample, _columns(file))
            if _DIGEST in stored and stored[_DIGEST] != _digest(stored[_KEY], len(samples)):
                raise ValueError("damaged")
        about = _ABOUT.validate_json(stored[_KEY])
        if "\0" in about.root:
            raise ValueError("a path that cannot be")
        for note in (*about.skipped, *about.warnings):
            english(note.reason, **note.reason_values)  # raises where placeholders lack their values
        return Manifest(
            Path(about.root),
            samples,
            about.skipped,
            about.warnings,
            about.several,
            about.facts,
            about.columns,
        )
    except FileNotFoundError:
        raise NotFoundError("The manifest must exist. {path} does not. Check the path.", path=path) from None
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, MemoryError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            "A manifest must be a Parquet file written by Eyebright. {path} is not ({error}). Use "
            "the manifest.parquet of a run.",
            path=path,
            error=reason,
        ) from None


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def _digest(about: bytes, samples: int) -> bytes:
    return blake2b(about + b"%d" % samples, digest_size=16).hexdigest().encode()


def _check_values(columns: dict[str, list[Any]]) -> None:
    if not set(columns["split"]) <= set(SPLITS):
        raise ValueError("unknown splits")
    if any("\0" in path for path in columns["path"]):
        raise ValueError("paths that cannot be")
    if any(len(sha) != _HASH for sha in columns["sha"]) or set("".join(columns["sha"])) - set(
        "0123456789abcdef"
    ):
        raise ValueError("hashes that cannot be")
    if min(columns["width"] + columns["height"], default=0) < 0:
        raise ValueError("sizes that cannot be")
    if not all(0 <= weight < math.inf for weight in columns.get("weight", ())):
        raise ValueError("weights that cannot be")


def _columns(file: pq.ParquetFile) -> Iterator[dict[str, list[Any]]]:
    given = {field.name: field.type for field in file.schema_arrow}
    names = list(_SCHEMA.names)
    may_lack = _LATEST if _DIGEST in (file.schema_arrow.metadata or {}) else _LATEST + _LATER
    while names[-1] in may_lack and names[-1] not in given:
        names.pop()
    if wrong := [name for name in names if given.get(name) != _SCHEMA.field(name).type]:
        raise ValueError(f"no column {wrong[0]} of its type")
    for batch in file.iter_batches(_READ_ROWS, columns=names):
        if batch.num_rows and any(batch.column(name).null_count for name in names):
            raise ValueError("empty cells")
        columns = {name: batch.column(name).to_pylist() for name in names}
        _check_values(columns)
        if batch.num_rows:
            yield columns
