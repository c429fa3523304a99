"""Small results that later runs look up, as JSON files with a checksum: a damaged one counts as absent."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from pathlib import Path

from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import say
from eyebright.types import Json


def remember(path: Path, content: Json) -> None:
    """Write ``content`` for :func:`remembered`.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    write_text(path, json.dumps({"content": content, "checksum": _checksum(path, content)}, indent=1))


def remembered(path: Path) -> Json:
    """Return what :func:`remember` wrote to ``path``; None where nothing, or nothing whole, is there."""
    try:
        text = path.read_bytes()
    except OSError:
        return None
    try:
        found = json.loads(text)
        if found["checksum"] == _checksum(path, found["content"]):
            content: Json = found["content"]
            return content
    except (ValueError, TypeError, KeyError, RecursionError):  # whatever JSON, or what is none, may be
        pass
    with suppress(OSError):  # a cache that cannot be written is only read
        path.unlink()
    say_damaged(path)
    return None


def say_damaged(path: Path) -> None:
    """Say that what is kept under ``path`` counts as absent."""
    say("Cached data in {path} is damaged or of an older version. It is computed again.", path=path)


def _checksum(path: Path, content: Json) -> int:
    """Return the checksum of content and name: under another name, it answers another question."""
    return zlib.crc32(json.dumps([path.name, content], sort_keys=True).encode())
