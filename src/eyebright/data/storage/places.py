"""Paths that lead through archives, tables of images and remote places, as if these were folders on disk.

`set.zip/cats/1.jpg`, `train.parquet/image/17.jpg` and `s3:/bucket/cats/1.jpg` (a path has no double slash)
are places like any other for whoever lists folders or reads images. Nothing is unpacked beside them. A path
on disk costs no more than before: only where the system knows no such file is it asked what it leads through.
"""

from __future__ import annotations

import os
import re
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock
from typing import BinaryIO, TypeAlias

from eyebright.data.storage.base import Storage, StorageEntry, status_of
from eyebright.data.storage.remote import RemoteStorage, is_remote_scheme
from eyebright.data.storage.rows import ArrowRows, ParquetRows, RowStorage
from eyebright.data.storage.tar_file import TarStorage, unzipped
from eyebright.data.storage.zip_file import ZipStorage
from eyebright.runtime.stored import open_regular
from eyebright.types import Skipped

AnyPath: TypeAlias = str | os.PathLike[str]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):")
# Of files that are not on disk the names decide: nothing is asked of every part of every path.
_BY_NAME = (".zip", ".tar", ".tar.gz", ".tgz", ".parquet", ".arrow")
_ZIP, _GZIP, _PARQUET, _TAR, _TAR_AT = b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"ustar", 257
_ARROW = (b"ARROW1", b"\xff\xff\xff\xff")
_HEAD_BYTES = 512
_MOST_OPEN = 256


class _OpenStorages:
    """Storages in use, the latest kept open; None for files that are none."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Storage | None] = OrderedDict()
        self._lock = RLock()  # an archive may lie in a remote storage

    def get(self, key: tuple[object, ...], make: Callable[[], Storage | None]) -> Storage | None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
                while len(self._kept) > _MOST_OPEN:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


_OPEN = _OpenStorages()


def is_remote(path: AnyPath) -> bool:
    """Return whether a path leads to another machine."""
    return _remote_parts(path) is not None


def resolved(path: Path) -> Path:
    """Return ``path`` from the root and without links; that of a remote place as it is."""
    parts = _remote_parts(path)
    return path.resolve() if parts is None else Path(f"{parts[0]}:", *parts[1:])


def storage_at(path: AnyPath, *, itself: bool = False) -> tuple[Storage, str] | None:
    """Return the storage that a path leads into, and the name in it; None of a path on disk or of none.

    The path of an archive leads to all that it holds, whose name is "". With ``itself``, an archive in
    another storage is meant as the file that it is.

    Raises:
        DataError: an archive is damaged, or a remote place cannot be reached.
    """
    remote = _remote_parts(path)
    if remote is not None:
        return _in_remote(*remote, itself=itself)
    place = Path(path)
    for outer in (place, *place.parents):
        try:
            status = os.stat(outer)
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(status.st_mode):
            return None
        storage = _local(str(outer.absolute()), status)
        return (
            None if storage is None else _descended(storage, str(outer), _inside(place, outer), itself=itself)
        )
    return None


def read_bytes(path: AnyPath) -> bytes:
    """Return the content of a file, wherever it lies.

    Raises:
        OSError: it does not exist, or cannot be read.
        ValueError: the path has a NUL.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except (NotADirectoryError, FileNotFoundError):
        storage, name = _holding(path)
        return storage.read(name)


def open_binary(path: AnyPath) -> BinaryIO:
    """Open a regular file for reading at any place, wherever it lies.

    Raises:
        OSError: it does not exist, or cannot be read.
    """
    try:
        return open_regular(Path(path))
    except (NotADirectoryError, FileNotFoundError):
        storage, name = _holding(path)
        return storage.open(name)


def status(path: AnyPath) -> os.stat_result:
    """Return kind, size and identity of a file or folder; an archive that is itself meant is a file.

    Raises:
        OSError: there is none.
    """
    try:
        return os.stat(path)
    except (NotADirectoryError, FileNotFoundError):
        storage, name = _holding(path)
        if (size := storage.size(name)) is not None:
            return status_of(os.fspath(path), False, size)
        if storage.is_folder(name):
            return status_of(os.fspath(path), True, 0)
        raise


def is_file(path: AnyPath) -> bool:
    """Return whether there is a regular file, wherever it lies."""
    try:
        return stat.S_ISREG(status(path).st_mode)
    except (OSError, ValueError):
        return False


def exists(path: AnyPath) -> bool:
    """Return whether there is anything of this name, a broken link too."""
    try:
        status(path)
    except (OSError, ValueError):
        return os.path.lexists(path)
    return True


def is_folder(path: AnyPath) -> bool:
    """Return whether there is a folder, or an archive to look into.

    Raises:
        DataError: an archive is damaged, or a remote place cannot be reached.
    """
    if os.path.isdir(path):
        return True
    found = storage_at(path)
    return found is not None and found[0].is_folder(found[1])


@contextmanager
def scandir(path: AnyPath) -> Iterator[Iterator[os.DirEntry[str] | StorageEntry]]:
    """Open a folder, or an archive as one, to see what lies in it.

    Raises:
        OSError: it does not exist, or cannot be read.
    """
    found = None if os.path.isdir(path) else storage_at(path)
    if found is None:
        with os.scandir(path) as entries:
            yield entries
    else:
        storage, name = found
        top = os.fspath(path)
        yield (
            StorageEntry(entry.name, f"{top}/{entry.name}", entry.folder, entry.bytes)
            for entry in storage.entries(name)
        )


def left_out(path: AnyPath) -> Sequence[Skipped]:
    """Return what the archive at ``path`` holds and cannot be used, with the reasons."""
    found = None if os.path.isdir(path) else storage_at(path)
    return () if found is None else found[0].skipped


def _holding(path: AnyPath) -> tuple[Storage, str]:
    """Return the storage that holds a file, which may be an archive itself."""
    found = storage_at(path, itself=True)
    if found is None:
        raise FileNotFoundError(2, os.strerror(2), os.fspath(path))
    return found


def _remote_parts(path: AnyPath) -> tuple[str, ...] | None:
    """Return scheme, host and the parts of the path of a remote place, also where a folder was put before."""
    text = os.fspath(path)
    if ":" not in text:
        return None
    parts = [part for part in text.replace("\\", "/").split("/") if part]
    for i, part in enumerate(parts[:-1]):
        match = _SCHEME.fullmatch(part)
        if match and is_remote_scheme(match[1]):
            return match[1], *parts[i + 1 :]
    return None


def _in_remote(scheme: str, host: str, *parts: str, itself: bool = False) -> tuple[Storage, str]:
    """Return the storage of a remote path; ``itself``: an archive at its end is meant as a file."""
    remote = _OPEN.get((scheme, host), lambda: RemoteStorage(scheme, host))
    if remote is None:
        raise FileNotFoundError(2, os.strerror(2), host)
    return _descended(remote, f"{scheme}://{host}", "/".join(parts), itself=itself)


def _descended(storage: Storage, shown: str, name: str, *, itself: bool) -> tuple[Storage, str]:
    """Return the innermost storage on the way to a name, and the name in it."""
    parts = name.split("/")
    for i, part in enumerate(parts, 1):
        if part.lower().endswith(_BY_NAME) and not (itself and i == len(parts)):
            outer = "/".join(parts[:i])
            key = (storage, outer)
            inner = _OPEN.get(key, partial(_archive_inside, storage, outer, f"{shown}/{outer}"))
            if inner is not None:
                return _descended(inner, f"{shown}/{outer}", "/".join(parts[i:]), itself=itself)
    return storage, name


def _archive_inside(storage: Storage, name: str, shown: str) -> Storage | None:
    """Open an archive in a storage; None of a folder of such a name. It is not asked whether it changed."""
    return None if storage.size(name) is None else _made(shown, storage.open(name))


def _local(path: str, status: os.stat_result) -> Storage | None:
    key = (path, status.st_size, status.st_mtime_ns, status.st_ino)
    return _OPEN.get(key, lambda: _made(path, open_regular(Path(path))))


def _made(path: str, file: BinaryIO) -> Storage | None:
    """Return what a file is as a storage, by its content; None where it is none."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if head.startswith(_GZIP):
        plain = unzipped(path, file)
        return _made(path, plain) if plain.read(2) != _GZIP and not plain.seek(0) else None
    if head.startswith(_ZIP):
        return ZipStorage(path, file)
    if head.startswith(_PARQUET):
        return RowStorage(ParquetRows(path, file))
    if head.startswith(_ARROW):
        return RowStorage(ArrowRows(path, file))
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return TarStorage(path, file)
    return None


def _inside(path: Path, outer: Path) -> str:
    name = path.relative_to(outer).as_posix()
    return "" if name == "." else name
