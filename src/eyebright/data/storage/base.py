"""What holds files besides the disk: an archive, a table with images inside, a bucket."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from os import stat_result
from typing import BinaryIO, Protocol

from eyebright.errors import DataError
from eyebright.types import Skipped

#: Members beyond which an archive is refused: its index alone would need gigabytes.
MOST_MEMBERS = 3_000_000
#: No image that can be decoded is larger; what claims to be is not read.
MOST_MEMBER_BYTES = 2**31
#: Bytes of an archive that is unpacked onto the disk, packed and unpacked.
MOST_UNPACKED_BYTES = 20 * 2**30
# Deflate reaches 1,000, and so do drawings; what unpacks to more than this from so little is meant to harm.
_MOST_RATIO, _HARMLESS_BYTES = 200, 2**26


class Storage(Protocol):
    """Files by names with forward slashes; safe to use from several threads.

    Attributes:
        skipped: what is in it and cannot be used, with the reasons.
    """

    skipped: Sequence[Skipped]

    def size(self, name: str) -> int | None:
        """Return the bytes of a file, or None where there is no such file."""

    def is_folder(self, name: str) -> bool:
        """Return whether a folder has that name; "" is the whole."""

    def entries(self, folder: str) -> Iterable[StorageEntry]:
        """Return what lies directly in a folder."""

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: it cannot be read.
        """

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading at any place.

        Raises:
            OSError: it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class StorageEntry:
    """One file or folder, with those methods of `os.DirEntry` that a walk needs."""

    name: str
    path: str
    folder: bool
    bytes: int = 0

    def is_dir(self) -> bool:
        """Return whether it is a folder."""
        return self.folder

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether it is a file; there are no links."""
        return not self.folder

    def is_symlink(self) -> bool:
        """Return False: links are left out."""
        return False

    def stat(self) -> stat_result:
        """Return kind and size."""
        return status_of(self.path, self.folder, self.bytes)


def status_of(path: str, folder: bool, size: int) -> stat_result:
    """Return a status like that of a file on disk; its inode follows from the path."""
    kind = stat.S_IFDIR if folder else stat.S_IFREG
    inode = int.from_bytes(blake2b(path.encode("utf-8", "surrogatepass"), digest_size=7).digest())
    return stat_result((kind | 0o444, inode, 0, 1, 0, 0, size, 0, 0, 0))


class Tree:
    """The folders that follow from the paths of files.

    Args:
        sizes: bytes of each file by its path.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._folders: dict[str, dict[str, bool]] = {"": {}}
        for path in sizes:
            self._add(path, False)

    def _add(self, path: str, folder: bool) -> None:
        above, _, name = path.rpartition("/")
        if above not in self._folders:
            self._folders[above] = {}
            self._add(above, True)
        self._folders[above].setdefault(name, folder)

    @property
    def files(self) -> Mapping[str, int]:
        """Return the bytes of all files, by their paths."""
        return self._sizes

    def size(self, name: str) -> int | None:
        """Return the bytes of a file, or None where there is no such file."""
        return self._sizes.get(name)

    def is_folder(self, name: str) -> bool:
        """Return whether a folder has that name."""
        return name in self._folders

    def entries(self, folder: str) -> Iterator[StorageEntry]:
        """Yield what lies directly in a folder.

        Raises:
            FileNotFoundError: there is no such folder.
        """
        if folder not in self._folders:
            raise FileNotFoundError(2, "No such folder", folder)
        for name, inner in self._folders[folder].items():
            path = f"{folder}/{name}" if folder else name
            yield StorageEntry(name, path, inner, 0 if inner else self._sizes[path])


def left_out_member(name: str, size: int, packed: int | None, *, link: bool) -> Skipped | None:
    """Return why a member of an archive is left out; None where it can be used.

    Args:
        name: as the archive has it.
        size: bytes that it says it has.
        packed: bytes that it takes in the archive; None where that is not known.
        link: whether it is one.
    """
    if link:
        return Skipped(name, "A link in an archive is not followed. Put the file itself into the archive.")
    parts = name.replace("\\", "/").split("/")
    # A part that ends with a colon would make a path to another machine or drive of it.
    if parts[0] == "" or any(part == ".." or part.endswith(":") for part in parts) or name[1:2] == ":":
        return Skipped(
            name, "Names in an archive must stay inside it. This one leads out of it, so it was left out."
        )
    if size > MOST_MEMBER_BYTES or (
        packed is not None and size > _HARMLESS_BYTES and size > _MOST_RATIO * packed
    ):
        return Skipped(
            name,
            "A file in an archive must not unpack to far more than it takes there, nor to more than 2 GB. "
            "This one would, so it was left out.",
        )
    return None


def require_few(path: object, count: int) -> None:
    """Refuse an archive whose index would need too much memory.

    Raises:
        DataError: it has too many members.
    """
    if count > MOST_MEMBERS:
        raise DataError(
            "An archive may have up to {most} files. {path} has {count}. Split it, or unpack it.",
            most=MOST_MEMBERS,
            path=path,
            count=count,
        )


def require_unpackable(path: object, size: int) -> None:
    """Refuse an archive that would fill the disk if it were unpacked.

    Raises:
        DataError: it unpacks to too many bytes.
    """
    if size > MOST_UNPACKED_BYTES:
        raise DataError(
            "An archive must unpack to at most {most} GB. {path} unpacks to {size} GB. Split it.",
            most=MOST_UNPACKED_BYTES >> 30,
            path=path,
            size=f"{size / 2**30:.1f}",
        )


def cleaned(name: str) -> str:
    """Return the path of a member: with forward slashes, without `./` and doubled slashes."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
