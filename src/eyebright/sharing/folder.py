"""A shared folder, of this disk or of a network drive."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from eyebright.runtime.atomic import atomic_path, remove_left, write_bytes
from eyebright.runtime.stored import open_regular
from eyebright.sharing.place import Content, StepwisePlace, place_errors

# What systems put into folders by themselves.
_BY_THEMSELVES = (".DS_Store", "Thumbs.db", "desktop.ini")
_MOST_FILES = 20_000


class FolderPlace(StepwisePlace):
    """A folder that holds one run.

    Args:
        folder: it need not exist yet.
    """

    own: Collection[str] = _BY_THEMSELVES

    def __init__(self, folder: Path) -> None:
        self.address = str(folder)
        self._folder = folder

    def names(self) -> set[str]:
        """Return the files in the folder and below it, without those that are being written.

        Raises:
            StorageError: it is a file, or cannot be listed.
        """
        with place_errors(self.address):
            if not self._folder.exists():
                return set()
            if not self._folder.is_dir():
                raise NotADirectoryError(20, "Not a directory")
            # Of a folder with far more than a run it is enough to see that there is more.
            found = [path for path in islice(self._folder.rglob("*"), _MOST_FILES) if path.is_file()]
        return {
            path.relative_to(self._folder).as_posix()
            for path in found
            if not (path.name.startswith(".") and path.name.endswith(".tmp"))
        }

    def open(self, name: str) -> BinaryIO:
        """Open a file of the folder."""
        return open_regular(self._folder / name)

    def put(self, name: str, content: Content) -> None:
        """Write a file under a temporary name, and rename it."""
        remove_left((self._folder / name).parent)
        if isinstance(content, bytes):
            write_bytes(self._folder / name, content)
            return
        with atomic_path(self._folder / name) as temporary:
            shutil.copyfile(content, temporary)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        (self._folder / name).unlink(missing_ok=True)
