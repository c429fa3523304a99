"""The images to predict: files, folders, patterns, or paths from standard input."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from eyebright.data.walk import image_files
from eyebright.errors import NotFoundError


def image_paths(names: Sequence[str], null: bool = False) -> Iterator[str]:
    """Return an iterator over the paths of the images, as they are found.

    Args:
        names: files, folders or glob patterns; "-" stands for paths on standard input. Images in memory may
            be among them, and are passed on.
        null: whether paths on standard input end with a NUL instead of a line's end.

    Raises:
        NotFoundError: a name matches nothing; raised before the first path.
    """
    for name in names:
        if isinstance(name, str):
            _require(name)
    return _paths(names, b"\0" if null else b"\n")


def _paths(names: Sequence[str], end: bytes) -> Iterator[str]:
    for name in names:
        if not isinstance(name, str):
            yield name
        elif name == "-":
            yield from _from_input(end)
        elif os.path.isdir(name):
            yield from image_files(Path(name))
        elif os.path.lexists(name):
            yield name
        else:
            yield from _matching(name)


def _require(name: str) -> None:
    if name != "-" and not os.path.lexists(name) and next(_matching(name), None) is None:
        raise NotFoundError(
            "Images must be files, folders or patterns with matches. {pattern} matches nothing. "
            "Check the path.",
            pattern=name,
        )


def _matching(pattern: str) -> Iterator[str]:
    return (path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))


def _from_input(end: bytes) -> Iterator[str]:
    """Yield paths from standard input as they arrive."""
    rest = b""
    stream = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    while block := stream.read1(1 << 16):
        *lines, rest = (rest + block).split(end)
        yield from (os.fsdecode(line.rstrip(b"\r")) for line in lines if line.strip())
    if rest.strip():
        yield os.fsdecode(rest)
