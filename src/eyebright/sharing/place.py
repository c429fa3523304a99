"""Where runs are shared: a folder, a bucket, a repository of a hub, all by the same few questions."""

from __future__ import annotations

import hashlib
import io
import shutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from eyebright.errors import StorageError
from eyebright.runs.metrics import METRICS
from eyebright.runtime.progress import Task

#: A file to push: one on this disk, or its bytes.
Content: TypeAlias = Path | bytes

_BLOCK_BYTES = 2**20


class Place(Protocol):
    """A place that holds one shared run.

    Attributes:
        address: as the person would write it.
        own: names that are there by themselves and do not count as files of somebody.
    """

    address: str
    own: Collection[str]

    def names(self) -> set[str]:
        """Return the files that are there, with forward slashes; none where the place does not exist yet.

        Raises:
            EyebrightError: the place does not answer, or not to us.
        """

    def read(self, name: str) -> bytes:
        """Return a small file.

        Raises:
            EyebrightError: it cannot be read.
        """

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to ``target``, which is written over.

        Raises:
            EyebrightError: it cannot be read.
        """

    def publish(self, files: Mapping[str, Content], gone: Collection[str], message: str, task: Task) -> None:
        """Write the files so that a reader sees all of them or no run.

        Args:
            files: by their names; `metrics.json` is the last.
            gone: names of an earlier run that the new one does not have.
            message: what a history says of it.
            task: counts bytes.

        Raises:
            EyebrightError: they cannot be written, or somebody else writes there at the same time.
        """


class StepwisePlace(ABC):
    """A place that is written file by file, each of them whole or not at all.

    A run without `metrics.json` is none, so that file goes first and comes back last. In between every file
    is read back: what lies there is what was pushed, or somebody else pushed at the same time.
    """

    address: str
    own: Collection[str] = ()

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file that is there."""

    @abstractmethod
    def put(self, name: str, content: Content) -> None:
        """Write one file, which appears whole."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file if it is there."""

    def read(self, name: str) -> bytes:
        """Return a small file.

        Raises:
            StorageError: it cannot be read.
        """
        with place_errors(self.address), self.open(name) as file:
            return file.read()

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to ``target``.

        Raises:
            StorageError: it cannot be read.
        """
        with place_errors(self.address), self.open(name) as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy, _BLOCK_BYTES)

    def publish(self, files: Mapping[str, Content], gone: Collection[str], message: str, task: Task) -> None:
        """Write the files one by one, `metrics.json` last.

        Raises:
            StorageError: they cannot be written, or are not there afterwards.
        """
        with place_errors(self.address):
            self.remove(METRICS)
            for name, content in files.items():
                if name != METRICS:
                    self.put(name, content)
            for name, content in files.items():
                if name != METRICS:
                    self._require_written(name, content)
                    task.advance(content_bytes(content))
            for name in gone:
                self.remove(name)
            self.put(METRICS, files[METRICS])
            task.advance(content_bytes(files[METRICS]))

    def _require_written(self, name: str, content: Content) -> None:
        with self.open(name) as there:
            same = digest(there) == content_digest(content)
        if not same:
            raise StorageError(
                "One run at a time must be pushed to a place. {name} at {place} is not the file that was "
                "written a moment ago, so somebody else pushes there, and no run was left. Ask who it is, "
                "then push again.",
                name=name,
                place=self.address,
            )


@contextmanager
def place_errors(address: str) -> Iterator[None]:
    """Raise a StorageError that names the place where a read or a write failed.

    Raises:
        StorageError: in place of the system's or a client's error.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            "The place of a shared run must be readable, and writable to push. {place}: {reason}. Check the "
            "address, the rights and the network; what is there already is kept, and the same command goes "
            "on.",
            place=address,
            reason=" ".join((error.strerror or str(error)).split()).strip(" ."),
        ) from error


def content_bytes(content: Content) -> int:
    """Return the size of a file to push."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def content_digest(content: Content) -> str:
    """Return the SHA-256 of a file to push, in hex."""
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        return digest(file)


def digest(file: BinaryIO) -> str:
    """Return the SHA-256 of what a file holds from here on, in hex."""
    found = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        found.update(block)
    return found.hexdigest()
