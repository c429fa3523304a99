"""Tables in Parquet that say which model they are of; a damaged or foreign one is refused."""

from __future__ import annotations

import json
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, TypeAdapter

from eyebright.runtime.atomic import atomic_path
from eyebright.runtime.stored import STORED, parse_json

_DIGEST = b"eyebright.blake2b"


class StoredHead(BaseModel):
    """What a table says of itself, as JSON in the metadata of its schema."""

    model_config = STORED

    format: int
    model_sha256: str
    labels: tuple[str, ...]


_HEAD = TypeAdapter(StoredHead)


def write_table(table: pa.Table, key: bytes, head: StoredHead, path: Path) -> None:
    """Write a table with its head, whole or not at all.

    Args:
        table: with the columns of its kind.
        key: of the kind.
        head: of the table.
        path: to write.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    text = json.dumps(head.model_dump()).encode()
    headed = table.replace_schema_metadata({key: text, _DIGEST: _digest(text, len(table))})
    with atomic_path(path) as temporary:
        pq.write_table(headed, temporary, compression="zstd", write_page_checksum=True)


def read_table(
    content: bytes, key: bytes, version: int, schema: pa.Schema | None = None
) -> tuple[StoredHead, pa.Table]:
    """Return the head and the table of a file's content.

    Args:
        content: of the file.
        key: of the kind.
        version: of the format that is read.
        schema: that the columns must have; None checks none.

    Raises:
        LookupError, ValueError, pa.ArrowException: it is damaged, or of another kind or format.
    """
    with pq.ParquetFile(BytesIO(content), page_checksum_verification=True) as file:
        stored = file.schema_arrow.metadata or {}
        head = parse_json(_HEAD, stored[key])
        if head.format != version:
            raise ValueError(f"it has format {head.format}, and this version reads {version}")
        if schema is not None and not file.schema_arrow.equals(schema):
            raise ValueError("its columns are others")
        table = file.read()
        if stored[_DIGEST] != _digest(stored[key], len(table)):
            raise ValueError("damaged")
    return head, table


def _digest(head: bytes, rows: int) -> bytes:
    return blake2b(head + b"%d" % rows, digest_size=16).hexdigest().encode()
