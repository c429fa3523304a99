"""A tar archive as a storage: its index is read once, its files are read in place."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from eyebright.data.storage.base import Tree, cleaned, left_out_member, require_few
from eyebright.errors import DataError
from eyebright.runtime.atomic import storage_errors
from eyebright.types import Skipped

_PIECE = 2**20
# A gzip of photographs hardly shrinks them; what grows more than this beyond a gigabyte is meant to harm.
_MOST_RATIO, _HARMLESS_BYTES = 50, 2**30
_EVERY = 10_000


class TarStorage(Tree):
    """The files of a tar archive.

    Args:
        path: for the sentences.
        file: the archive, open at any place.

    Raises:
        DataError: it is damaged, or has too many members.
    """

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._file, self._lock = file, Lock()
        skipped: list[Skipped] = []
        places: dict[str, tuple[int, int]] = {}
        try:
            with tarfile.open(fileobj=file, mode="r:", errorlevel=1) as archive:
                while (member := archive.next()) is not None:
                    setattr(archive, "members", [])  # noqa: B010, which the module would gather
                    if len(places) % _EVERY == 0:
                        require_few(path, len(places))
                    if member.isdir():
                        continue
                    if problem := _problem(member):
                        skipped.append(problem)
                    else:
                        places[cleaned(member.name)] = (member.offset_data, member.size)
                end = archive.offset
            file.seek(end)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # as of an interrupted copy
                reason = "The archive may be cut off behind its {count:file|files}: its end is missing."
                skipped.append(Skipped(".", reason, {"count": len(places)}))
        except (tarfile.TarError, OSError, ValueError) as error:
            if not places:
                raise DataError(
                    "A tar archive must be whole. {path} is not ({error}). Copy it again.",
                    path=path,
                    error=error,
                ) from None
            reason = "The archive is damaged behind its first {count:file|files} ({error}). The rest is lost."
            skipped.append(Skipped(".", reason, {"count": len(places), "error": str(error)}))
        self.skipped: Sequence[Skipped] = tuple(skipped)
        self._places = places
        super().__init__({name: size for name, (_, size) in places.items()})

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: it is not there, or the archive ends before it does.
        """
        if name not in self._places:
            raise FileNotFoundError(2, "Not in the archive", name)
        offset, size = self._places[name]
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(size)
        if len(data) < size:
            raise OSError(5, "The archive ends within this file", name)
        return data

    def open(self, name: str) -> BinaryIO:
        """Open a file, whose content is read into memory."""
        return io.BytesIO(self.read(name))


def unzipped(path: str, file: BinaryIO) -> BinaryIO:
    """Return the content of a gzip file, which allows no reading at any place, in a file without a name.

    The system removes that file when it is closed, also where the process is killed.

    Raises:
        DataError: it is damaged, or would grow beyond all measure.
        StorageError: the disk is full.
    """
    packed = file.seek(0, os.SEEK_END)
    file.seek(0)
    with tempfile.TemporaryFile() as found, storage_errors(Path(tempfile.gettempdir())):
        try:
            with gzip.GzipFile(fileobj=file) as source:
                while piece := source.read(_PIECE):
                    found.write(piece)
                    if found.tell() > max(_HARMLESS_BYTES, _MOST_RATIO * packed):
                        raise DataError(
                            "An archive must not unpack to far more than it takes. {path} would. Unpack it, "
                            "if you trust it.",
                            path=path,
                        )
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                "A tar archive must be whole. {path} is not ({error}). Copy it again.",
                path=path,
                error=error,
            ) from None
        found.seek(0)
        return os.fdopen(os.dup(found.fileno()), "rb")


def _problem(member: tarfile.TarInfo) -> Skipped | None:
    if member.issparse() or not (member.isreg() or member.issym() or member.islnk()):
        return Skipped(member.name, "Not a regular file. Remove it.")
    return left_out_member(member.name, member.size, None, link=member.issym() or member.islnk())
