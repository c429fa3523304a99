"""A file that holds a table, whatever its kind: delimited text, JSON Lines or Parquet."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from eyebright.data.storage.places import open_binary
from eyebright.data.storage.rows import image_columns
from eyebright.data.table.cells import cell_text, table_of
from eyebright.data.table.delimited import DataTable, read_delimited
from eyebright.errors import DataError, NotFoundError
from eyebright.runtime.compact.rows import compact_values
from eyebright.runtime.stored import MOST_TEXT_BYTES, parse_json, reason_of

JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (".csv", ".tsv", ".txt", *JSON_LINES, ".json", ".parquet")
_MARK = codecs.BOM_UTF8
_AT_ONCE = 8192
_JSON, _PARQUET = ".json", ".parquet"
_OBJECT, _OBJECTS = TypeAdapter(dict[str, Any]), TypeAdapter(list[dict[str, Any]])


def read_table(path: Path) -> DataTable:
    """Return the table in a file, by its extension; what is no other kind is delimited text.

    Raises:
        NotFoundError: the file does not exist.
        DataError: it is no such table.
    """
    try:
        if path.suffix.lower() in JSON_LINES:
            with open_binary(path) as file:
                return _from_json_lines(path, file)
        if path.suffix.lower() == _JSON:
            with open_binary(path) as file:
                return _from_json(path, file.read(MOST_TEXT_BYTES))
        if path.suffix.lower() == _PARQUET:
            with open_binary(path) as file:
                return _from_parquet(path, file)
    except FileNotFoundError:
        raise NotFoundError("The table must exist. {path} does not. Check the path.", path=path) from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            "A table must be readable. {path} is not ({reason}). Write it again, or check its permissions.",
            path=path,
            reason=reason_of(error).partition("\n")[0],
        ) from None
    return read_delimited(path)


def columns_of(table: pa.Table) -> dict[str, Sequence[str]]:
    """Return the columns of an Arrow table as text, those of images left out; classes have their names."""
    named = class_names(table.schema)
    images = set(image_columns(table.schema))
    found: dict[str, Sequence[str]] = {}
    for name in table.column_names:
        if name not in images:
            found[name] = compact_values(_cells(table.column(name), named.get(name)))
    return found


def _cells(column: pa.ChunkedArray, names: list[str] | None) -> Iterator[str]:
    """Yield the values of a column as text, of which some thousands are objects at a time."""
    for start in range(0, len(column), _AT_ONCE):
        for value in column.slice(start, _AT_ONCE).to_pylist():
            yield cell_text(_named(value, names) if names else value)


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names of the classes that numbers, or lists of numbers, in a column stand for.

    `datasets` stores them in the metadata of the schema.
    """
    try:
        about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = about.get("info", {}).get("features", {})
        found = {name: _class_label(kind) for name, kind in features.items()}
        return {name: [str(one) for one in kind["names"]] for name, kind in found.items() if kind}
    except (ValueError, LookupError, AttributeError, TypeError):  # it is anyone's text
        return {}


def _class_label(kind: Any) -> Any:
    """Return the description of a feature's classes, if it has classes; a list has that of its elements."""
    if isinstance(kind, list):
        kind = kind[0]
    if isinstance(kind, dict) and "feature" in kind:
        kind = kind["feature"]
    return kind if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" else None


def _named(value: Any, names: list[str]) -> Any:
    """Return the name of a class, or of each in a list, by its number; -1 stands for no label."""
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return None if value == -1 else value


def _from_json_lines(path: Path, file: Iterable[bytes]) -> DataTable:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(file, 1):
        text = line.removeprefix(_MARK).strip()
        if not text:
            continue
        try:
            rows.append(parse_json(_OBJECT, text))
        except ValueError as error:
            raise DataError(
                "Each line of a JSON Lines table must be a JSON object. Line {line} of {path} is not "
                "({error}). Correct it.",
                line=number,
                path=path,
                error=error,
            ) from None
        lines.append(number)
    table = _from_objects(path, rows)
    return DataTable(path, table.header, table.rows, lines)


def _from_json(path: Path, text: bytes) -> DataTable:
    try:
        return _from_objects(path, parse_json(_OBJECTS, text.removeprefix(_MARK)))
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            "A JSON table must be a list of objects, or annotations of COCO or Label Studio. {path} is "
            "neither ({error}). Convert it.",
            path=path,
            error=error,
        ) from None


def _from_objects(path: Path, rows: list[dict[str, Any]]) -> DataTable:
    names = dict.fromkeys(name for row in rows for name in row)
    return table_of(path, {name: [cell_text(row.get(name)) for row in rows] for name in names})


def _from_parquet(path: Path, file: Any) -> DataTable:
    source = pq.ParquetFile(file)
    images = set(image_columns(source.schema_arrow))
    wanted = [name for name in source.schema_arrow.names if name not in images]
    return table_of(path, columns_of(source.read(columns=wanted)))
