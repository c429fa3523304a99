"""Files and JSON that anyone may have written: opened only where they are files, every value checked.

Both raise what their callers tell in sentences of their own: an OSError with a reason, or a ValueError of one
line. A format is described where it is written, by a class or a type; ``parse_json`` holds a text to it.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

Value = TypeVar("Value")

#: How stored values are checked: a number is no text, and is finite. Keys of later versions are left out.
STORED = ConfigDict(strict=True, allow_inf_nan=False)
#: Text files that Eyebright writes are far smaller; more is not read into memory.
MOST_TEXT_BYTES = 2**29


def open_regular(path: Path, most_bytes: int | None = None) -> BufferedReader:
    """Open a file for reading; a named pipe or device, which might be waited for or never end, is refused.

    Args:
        path: of the file.
        most_bytes: that it may have; None for any number.

    Raises:
        OSError: it cannot be opened, is not a regular file, or is larger.
    """
    # Without waiting for a pipe's other end; the flag changes nothing for regular files.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        if most_bytes is not None and status.st_size > most_bytes:
            raise OSError(errno.EINVAL, f"Larger than {most_bytes >> 20} MB", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_stored(path: Path) -> bytes:
    """Read a text file that Eyebright may have written.

    Raises:
        OSError: it cannot be opened, is not a regular file, or is too large to be one of ours.
    """
    with open_regular(path, MOST_TEXT_BYTES) as file:
        return file.read(MOST_TEXT_BYTES) or b""  # None of a file in /proc that has nothing yet


def parse_json(kind: TypeAdapter[Value], text: str | bytes) -> Value:
    """Parse JSON whose depth is limited, and check it.

    Args:
        kind: what it must be; its own configuration should be :data:`STORED`.
        text: the JSON.

    Raises:
        ValueError: it is not; one line says where.
    """
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def read_json(kind: TypeAdapter[Value], path: Path) -> Value:
    """Read a file of JSON, and check it.

    Raises:
        OSError: see :func:`read_stored`.
        ValueError: see :func:`parse_json`.
    """
    return parse_json(kind, read_stored(path))


def reason_of(error: Exception) -> str:
    """Return why a stored file could not be used, for the end of a sentence."""
    return str(getattr(error, "strerror", None) or error).strip(" .")
