"""A ZIP archive as a storage: read in place, one member at a time."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Sequence
from typing import BinaryIO

from eyebright.data.storage.base import Tree, cleaned, left_out_member, require_few
from eyebright.errors import DataError
from eyebright.types import Skipped

_END, _END_64, _END_BYTES = b"PK\x05\x06", b"PK\x06\x06", 22
_LONGEST_COMMENT = 2**16
_ENCRYPTED = 0x1


class ZipStorage(Tree):
    """The files of a ZIP archive.

    Args:
        path: for the sentences.
        file: the archive, open at any place; it is read by one thread at a time.

    Raises:
        DataError: it is damaged, or has too many members.
    """

    def __init__(self, path: str, file: BinaryIO) -> None:
        require_few(path, _count(file))
        try:
            self._archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(
                "A ZIP archive must be whole. {path} is not ({error}). Copy it again.", path=path, error=error
            ) from None
        skipped: list[Skipped] = []
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._archive.infolist():
            if member.is_dir():
                continue
            if problem := _problem(member):
                skipped.append(problem)
            else:
                self._members[cleaned(member.filename)] = member
        self.skipped: Sequence[Skipped] = tuple(skipped)
        super().__init__({name: member.file_size for name, member in self._members.items()})

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: it is not there, or damaged.
        """
        if name not in self._members:
            raise FileNotFoundError(2, "Not in the archive", name)
        try:
            return self._archive.read(self._members[name])
        except Exception as error:  # each way of compressing has errors of its own
            raise OSError(5, str(error) or type(error).__name__, name) from None

    def open(self, name: str) -> BinaryIO:
        """Open a file, whose content is read into memory."""
        return io.BytesIO(self.read(name))


def _problem(member: zipfile.ZipInfo) -> Skipped | None:
    if member.flag_bits & _ENCRYPTED:
        reason = "Files in an archive must not be encrypted. This one is, so it was left out."
        return Skipped(member.filename, reason)
    link = stat.S_ISLNK(member.external_attr >> 16)
    return left_out_member(member.orig_filename, member.file_size, member.compress_size, link=link)


def _count(file: BinaryIO) -> int:
    """Return how many members an archive says it has, before its index is read into memory."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - _LONGEST_COMMENT - _END_BYTES))
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + _END_BYTES:
        return 0
    (count,) = struct.unpack_from("<H", tail, place + 10)
    large = tail.rfind(_END_64, 0, place)
    if count == 0xFFFF and large >= 0 and len(tail) >= large + 40:
        (count,) = struct.unpack_from("<Q", tail, large + 32)
    return int(count)
