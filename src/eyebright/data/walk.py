"""Every image file under a folder, however deep, by one rule for all verbs; no folder is read twice."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import TypeAlias

from eyebright.data.formats.known import extensions
from eyebright.data.storage.base import StorageEntry
from eyebright.data.storage.places import exists, is_folder, is_remote, scandir, status
from eyebright.errors import DataError, NotFoundError
from eyebright.types import Skipped

_ADDRESS = re.compile(r"([A-Za-z][\w+.-]+):/")
_IGNORED_FOLDERS = frozenset({"__macosx", "@eadir"})
_IGNORED_FILES = frozenset({"thumbs.db", "desktop.ini"})

#: Files of which every run, export and folder of heat maps has one: their pictures are no images of a class.
OUTPUT_MARK = ".eyebright"
_OUTPUTS = frozenset({OUTPUT_MARK, "manifest.parquet", "certificate.json", "audit.json"})

#: What makes a folder the same folder under every name: its device and inode.
Identity: TypeAlias = tuple[int, int]
AnyEntry: TypeAlias = "os.DirEntry[str] | StorageEntry"


@dataclass
class FolderListing:
    """The images and other files under a folder.

    Attributes:
        files: (label, path) of each image by its name, the path relative to the folder with forward slashes.
        loose: names of images that lie directly in the folder, in no class folder.
        skipped: folders and names that cannot be used.
        repeated: links to folders that were already read; nothing of theirs is lost.
        others: how many files have other extensions, by extension.
    """

    files: list[tuple[str, str]] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    repeated: list[Skipped] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


def identity(folder: str | os.PathLike[str]) -> Identity:
    """Return the folder's identity, the same through every link to it."""
    found = status(folder)
    return found.st_dev, found.st_ino


def printable(path: str) -> str:
    r"""Return ``path`` as text that can be written anywhere: bytes that are no text appear as ``\xff``."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def subfolders(folder: Path) -> list[str]:
    """Return names of the folders directly in ``folder`` that are neither hidden nor written by us, sorted.

    Raises:
        DataError: the system does not let us look into it.
    """
    try:
        with scandir(folder) as entries:
            found = [e for e in entries if not ignored(e.name) and entry_is_folder(e)]
            return sorted(e.name for e in found if not _is_output(e.path))
    except OSError as error:
        raise DataError(
            "The data folders must be readable. {path}: {reason}. Check the permissions.",
            path=folder,
            reason=error.strerror,
        ) from None


def is_text(name: str) -> bool:
    """Return whether a name that the system gave can be written as UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def require_folder(folder: Path) -> Path:
    """Return ``folder``, if it is one.

    Raises:
        NotFoundError: it does not exist.
        DataError: it is not a folder, or its path is not text, so that no table could name it.
    """
    if not is_text(str(folder.absolute())):
        raise DataError(
            "The data path must be valid UTF-8. {path} uses another encoding. Rename its folders.",
            path=printable(str(folder)),
        )
    if is_folder(folder):
        return folder
    if folder.exists():
        raise DataError(
            "The data must be a folder. {path} is a file. Give a folder with one subfolder for each class.",
            path=folder,
        )
    if not is_remote(folder) and (address := _ADDRESS.match(str(folder))):
        raise NotFoundError(
            "Addresses that begin with {scheme}: are not read. Download the data, and give its folder or "
            "archive; s3, gs, abfs and hdfs are read, and with the package fsspec others.",
            scheme=address[1],
        )
    raise NotFoundError("The data must exist. {path} does not. Check the path.", path=folder)


def list_images(folder: Path, seen: set[Identity]) -> FolderListing:
    """Return the images under ``folder``, in the order of their paths, wherever the file system has them.

    Args:
        folder: holds the class folders.
        seen: folders already read, which are passed over; those read now are added.
    """
    listing = FolderListing()
    unnamed: dict[str, None] = {}
    labels: dict[str, str] = {}  # one object a class, not one a file
    for path in walk(folder, listing, seen):
        if not is_text(path):
            unnamed[_first_without_text(path)] = None
        elif "/" in path:
            label = path[: path.index("/")]
            listing.files.append((labels.setdefault(label, label), path))
        else:
            listing.loose.append(path)
    listing.files.sort()
    reason = (
        "The name must be valid UTF-8. This one is in another encoding. Rename it (convmv renames many at "
        "once). Its contents were not used."
    )
    listing.skipped += [Skipped(printable(path), reason) for path in unnamed] + listing.repeated
    return listing


def _first_without_text(path: str) -> str:
    """Return the outermost folder, or the file, of ``path`` whose name is no text."""
    parts = path.split("/")
    return next("/".join(parts[:n]) for n in range(1, len(parts) + 1) if not is_text(parts[n - 1]))


def walk(folder: Path, listing: FolderListing, seen: set[Identity]) -> Iterator[str]:
    """Return an iterator over the images' paths relative to ``folder``; a folder's own files come first.

    Nothing but ``seen`` is gathered, so that a million files need no memory. Hidden files and folders are
    passed over. Links to folders come last: a folder that is reached both ways belongs where it really lies.

    Args:
        folder: to begin with.
        listing: learns what is passed over, as the iterator goes on.
        seen: folders already read, which are passed over; those read now are added.
    """
    links: list[str] = []
    yield from _walk(folder, "", listing, links, seen)
    while links:
        link = links.pop(0)
        if identity(folder / link) in seen:
            reason = "This link leads to a folder that was already read. It was ignored."
            listing.repeated.append(Skipped(printable(link), reason))
        else:
            yield from _walk(folder, link, listing, links, seen)


def _walk(
    top: Path, start: str, listing: FolderListing, links: list[str], seen: set[Identity]
) -> Iterator[str]:
    pending = [start]
    while pending:
        where = pending.pop()
        try:
            this = identity(top / where)
            if this in seen:
                continue
            seen.add(this)
            with scandir(top / where) as entries:
                found = sorted(entries, key=lambda e: e.name)
        except OSError as error:
            listing.skipped.append(
                Skipped(
                    printable(where) or ".",
                    "The folder cannot be read: {reason}. Its images were not used. Check its permissions.",
                    {"reason": error.strerror},
                )
            )
            continue
        if where and not _OUTPUTS.isdisjoint(entry.name for entry in found):
            listing.skipped.append(
                Skipped(
                    where, "This folder was written by Eyebright. Its pictures are not images of a class."
                )
            )
            continue
        deeper: list[str] = []
        for entry in found:
            path = f"{where}/{entry.name}" if where else entry.name
            if ignored(entry.name):
                continue
            if entry_is_folder(entry):
                (links if entry.is_symlink() else deeper).append(path)
            elif _is_image(entry, path, listing):
                yield path
        pending += reversed(deeper)


def _is_image(entry: AnyEntry, path: str, listing: FolderListing) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix[1:] not in extensions():
        listing.others[printable(suffix)] += 1
        return False
    if _is_special(entry):  # a named pipe would be waited for
        listing.skipped.append(Skipped(printable(path), "Not a regular file. Remove it."))
        return False
    return True


def _is_special(entry: AnyEntry) -> bool:
    """Return whether it is a pipe, device or socket; a link to nothing is told when it is read."""
    try:
        return not entry.is_file(follow_symlinks=False) and not S_ISREG(entry.stat().st_mode)
    except OSError:
        return False


def ignored(name: str) -> bool:
    """Return whether a file or folder of this name belongs to a system or a program, not to the data."""
    return name.startswith(".") or name.lower() in _IGNORED_FOLDERS | _IGNORED_FILES


def _is_output(folder: str) -> bool:
    return any(exists(os.path.join(folder, name)) for name in _OUTPUTS)


def entry_is_folder(entry: AnyEntry) -> bool:
    """Return whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def has_images(folder: Path, *, deep: bool = True) -> bool:
    """Return whether an image file lies in ``folder``, or below it with ``deep``; the first one is enough."""
    first = next(walk(folder, FolderListing(), set()), None)
    return first is not None and (deep or "/" not in first)


def image_files(folder: Path) -> Iterator[str]:
    """Return an iterator over the paths of the image files under ``folder``, as :func:`walk` finds them."""
    return (os.path.join(folder, path) for path in walk(folder, FolderListing(), set()))
