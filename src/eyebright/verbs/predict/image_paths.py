"""The images to predict: files, folders, archives, remote places, patterns, or paths from standard input."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from eyebright.data.passed_over import no_images, other_files
from eyebright.data.storage.places import exists, is_folder, left_out
from eyebright.data.walk import FolderListing, walk
from eyebright.errors import NotFoundError
from eyebright.runtime.context import say
from eyebright.runtime.parallel import in_context
from eyebright.types import Skipped


def image_paths(names: Sequence[str], null: bool = False) -> Iterator[str | Skipped]:
    """Return an iterator over the images' paths, as they are found, and over what cannot be looked into.

    Files in folders that are passed over for their extensions are counted, and told at the folder's end.

    Args:
        names: files, folders, archives, Parquet files of images, remote places or glob patterns; "-" stands
            for paths on standard input. Images in memory may be among them, and are passed on.
        null: whether paths on standard input end with a NUL instead of a line's end.

    Raises:
        NotFoundError: a name matches nothing; raised before the first path.
        DataError: a folder contains no image; raised before the first path.
    """
    for name in names:
        if isinstance(name, str):
            _require(name)
    return _paths(names, b"\0" if null else b"\n", in_context(say))


def _paths(names: Sequence[str], end: bytes, tell: Callable[..., None]) -> Iterator[str | Skipped]:
    for name in names:
        if not isinstance(name, str):
            yield name
        elif name == "-":
            yield from _from_input(end)
        elif is_folder(name):
            listing = FolderListing()
            yield from (os.path.join(name, path) for path in walk(Path(name), listing, set()))
            skipped = (*listing.skipped, *left_out(name))
            yield from (replace(s, path=os.path.join(name, s.path)) for s in skipped)
            for note in other_files(listing.others):
                tell(note.reason, **note.reason_values)
        elif exists(name):
            yield name
        else:
            yield from _matching(name)


def _require(name: str) -> None:
    if name == "-":
        return
    if is_folder(name):
        listing = FolderListing()
        if next(walk(Path(name), listing, set()), None) is None and not listing.skipped:
            raise no_images(Path(name), listing.others)
        return
    if not exists(name) and next(_matching(name), None) is None:
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
