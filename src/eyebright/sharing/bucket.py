"""A bucket of S3, or of whatever else `eyebright train` reads images from."""

from __future__ import annotations

from typing import BinaryIO

from eyebright.data.storage.remote import RemoteStorage
from eyebright.sharing.place import Content, StepwisePlace, place_errors


class BucketPlace(StepwisePlace):
    """A folder of a bucket; an object appears there whole or not at all.

    Args:
        scheme: such as `s3`.
        host: the bucket.
        folder: within it, with forward slashes.

    Raises:
        DataError: the bucket does not answer, or not to us.
        MissingExtraError: what reads the scheme is not installed.
    """

    def __init__(self, scheme: str, host: str, folder: str) -> None:
        self.address = f"{scheme}://{host}/{folder}".rstrip("/")
        self._folder = folder
        self._storage = RemoteStorage(scheme, host)

    def names(self) -> set[str]:
        """Return the objects in the folder and below it.

        Raises:
            StorageError: it cannot be listed.
        """
        with place_errors(self.address):
            return self._below("") if self._storage.is_folder(self._folder) else set()

    def _below(self, inner: str) -> set[str]:
        found: set[str] = set()
        for entry in self._storage.entries(self._path(inner)):
            name = f"{inner}/{entry.name}" if inner else entry.name
            found |= self._below(name) if entry.folder else {name}
        return found

    def open(self, name: str) -> BinaryIO:
        """Open an object."""
        return self._storage.open(self._path(name))

    def put(self, name: str, content: Content) -> None:
        """Write an object."""
        self._storage.write(self._path(name), content)

    def remove(self, name: str) -> None:
        """Remove an object if it is there."""
        if self._storage.size(self._path(name)) is not None:
            self._storage.remove(self._path(name))

    def _path(self, name: str) -> str:
        return "/".join(part for part in (self._folder, name) if part)
