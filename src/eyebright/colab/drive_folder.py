"""A folder of Google Drive as the system shows it: writes fail, renames are copies, the mount goes away."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from eyebright.runtime.stored import open_regular

_PIECE = 2**20
_TRIES = 4
#: Says that Drive is mounted: below an empty mount point this file is not there.
_MARKER = ".eyebright-drive"
_UNFINISHED = ".part"


class DriveGoneError(OSError):
    """The folder is not there any more: Drive was unmounted or disconnected."""


class DriveFolder:
    """One folder of Drive, made where its parent exists.

    Every file is written under a temporary name, read back and compared, renamed, and compared again: a
    rename on Drive is a copy that may be cut off.

    Args:
        folder: below the root of Drive, which must exist.

    Raises:
        DriveGoneError: the root is not there, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _MARKER).touch()
        except OSError as error:
            raise DriveGoneError(error.errno, error.strerror, str(folder)) from error

    def require_there(self) -> None:
        """Raise where Drive went away, so that nothing is written below an empty mount point.

        Raises:
            DriveGoneError: it did.
        """
        try:
            os.stat(self.folder / _MARKER)
        except OSError as error:
            raise DriveGoneError(error.errno, error.strerror, str(self.folder)) from error

    def folders(self) -> list[str]:
        """Return the names of the folders in it."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())

    def names(self, inner: str) -> list[str]:
        """Return the names of the whole files of an inner folder; there are none where it is not there."""
        try:
            found = os.listdir(self.folder / inner)
        except FileNotFoundError:
            return []
        return [name for name in found if not name.startswith(".")]

    def pieces(self, inner: str, name: str) -> Iterator[bytes]:
        """Yield the content of a file.

        Raises:
            OSError: it cannot be read.
        """
        with open_regular(self.folder / inner / name) as file:
            while piece := file.read(_PIECE):
                yield piece

    def holds(self, inner: str, name: str, sha256: str) -> bool:
        """Return whether a file is there and has this hash."""
        digest = hashlib.sha256()
        try:
            for piece in self.pieces(inner, name):
                digest.update(piece)
        except FileNotFoundError:
            return False
        return digest.hexdigest() == sha256

    def put(self, inner: str, name: str, source: Path, sha256: str) -> None:
        """Copy a file here, and make sure that it arrived; what fails is tried again.

        Raises:
            DriveGoneError: Drive went away.
            OSError: it did not arrive.
        """
        for attempt in range(_TRIES):
            self.require_there()
            try:
                self._put(inner, name, source, sha256)
                return
            except OSError:
                if attempt == _TRIES - 1:
                    raise

    def remove(self, inner: str, name: str) -> None:
        """Remove a file if it is there and can be; what stays is only more than is needed."""
        with suppress(OSError):
            (self.folder / inner / name).unlink(missing_ok=True)

    def remove_unfinished(self, inner: str) -> None:
        """Remove what copies that were cut off left."""
        with suppress(OSError):
            for name in os.listdir(self.folder / inner):
                if name.endswith(_UNFINISHED):
                    self.remove(inner, name)

    def _put(self, inner: str, name: str, source: Path, sha256: str) -> None:
        target = self.folder / inner / name
        target.parent.mkdir(exist_ok=True)
        unfinished = f".{name}.{uuid.uuid4().hex[:8]}{_UNFINISHED}"
        try:
            self.copy(source, target.with_name(unfinished))
            self._require_whole(inner, unfinished, sha256)
            self.rename(target.with_name(unfinished), target)
            self._require_whole(inner, name, sha256)
        finally:
            self.remove(inner, unfinished)

    def _require_whole(self, inner: str, name: str, sha256: str) -> None:
        if not self.holds(inner, name, sha256):
            raise OSError(5, "Drive holds other bytes than were written", name)

    # ---- what Drive does badly; a test puts worse in its place

    def copy(self, source: Path, target: Path) -> None:
        """Write a copy of a local file."""
        with source.open("rb") as read, target.open("wb") as written:
            while piece := read.read(_PIECE):
                written.write(piece)
            written.flush()
            os.fsync(written.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its name."""
        os.replace(source, target)
