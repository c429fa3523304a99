"""The files that a table's paths name: with either slash, and with or without their extension."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path, PurePosixPath

from eyebright.data.formats.known import extensions
from eyebright.data.storage.places import is_file, is_remote, resolved, scandir
from eyebright.data.walk import image_files
from eyebright.types import Skipped

_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+://")
_NOT_FOLLOWED = (
    "Addresses in a table are not followed. Download the images, or give the remote folder as the data."
)


class ImagePaths:
    """Looks for the images that a table names, relative to its folder, archive or remote place.

    Args:
        folder: of the table. Only paths on disk may lead out of it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tops = {folder.absolute().as_posix(), resolved(folder).as_posix()}
        self._on_disk = os.path.isdir(folder)
        self._images_in = cache(self._list)
        self._names_in = cache(self._names)

    def find(self, written: str) -> str | Skipped:
        """Return the path of the file that is meant, with forward slashes, or why there is none."""
        if _ADDRESS.match(written):
            return Skipped(written, _NOT_FOLLOWED)
        for form in dict.fromkeys((written, written.replace("\\", "/"))):
            path = self._below(PurePosixPath(form))
            if is_remote(path):
                return Skipped(path, _NOT_FOLLOWED)
            if not self._on_disk and (path.startswith("/") or ".." in path.split("/")):
                return Skipped(path, "The table lists a path that leads out of its archive or remote folder.")
            if form and self._is_file(path):
                return path
            found = self._with_extension(path) if form else []
            if len(found) == 1:
                return found[0]
            if found:
                reason = "The table lists this name without an extension, but there are {names}."
                return Skipped(path, reason, {"names": ", ".join(map(os.path.basename, found))})
        return Skipped(written or ".", "The table lists this image, but there is no such file.")

    def elsewhere(self, written: str) -> str | None:
        """Return the path of an image below the folder that has the same name as the one that is missing."""
        name = PurePosixPath(written.replace("\\", "/")).name.casefold()
        for path in image_files(self._folder):
            file = os.path.basename(path).casefold()
            if name and name in (file, os.path.splitext(file)[0]):
                return Path(path).relative_to(self._folder).as_posix()
        return None

    def _is_file(self, path: str) -> bool:
        if self._on_disk:
            return is_file(self._folder / path)
        place, _, name = path.rpartition("/")
        return self._names_in(place).get(name, False)

    def _names(self, place: str) -> dict[str, bool]:
        """Return the names in a folder, and whether each is a file."""
        try:
            with scandir(self._folder / place) as entries:
                return {entry.name: not entry.is_dir() for entry in entries}
        except (OSError, ValueError):
            return {}

    def _below(self, path: PurePosixPath) -> str:
        """Return a path relative to the table's folder, if it lies there, with forward slashes."""
        for top in self._tops:
            if path.is_absolute() and path.is_relative_to(top):
                return path.relative_to(top).as_posix()
        return path.as_posix()

    def _with_extension(self, path: str) -> list[str]:
        place, _, stem = path.rpartition("/")
        names = self._images_in(place).get(stem, [])
        return [f"{place}/{name}" if "/" in path else name for name in names]

    def _list(self, place: str) -> dict[str, list[str]]:
        """Return the names of the images in a folder by what they are without their extension."""
        found: dict[str, list[str]] = {}
        for name in sorted(self._names_in(place)):
            stem, suffix = os.path.splitext(name)
            if suffix[1:].lower() in extensions():
                found.setdefault(stem, []).append(name)
        return found
