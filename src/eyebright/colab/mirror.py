"""A folder's files on Drive in versions, of which the newest that is whole is restored.

Each version is an index, which names files by their hashes. A file of Drive is never written over, so a
version that was whole stays whole; versions that are no longer needed go after a later one has arrived.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict

from eyebright.colab.drive_folder import DriveFolder
from eyebright.colab.snapshot import State, snapshot, state
from eyebright.data.storage.base import left_out_member
from eyebright.errors import StorageError
from eyebright.runtime.stored import STORED, parse_json

#: Drive's own folders become slow with more, and its mount fails.
MOST_FILES = 5_000
#: Drive's client uploads later than it says; while it does, an earlier version must still be there.
_VERSIONS = 3
_INDEX = re.compile(r"index-(\d{8})-[0-9a-f]{8}\.json")
_MOST_INDEX_BYTES = 2**26


@with_config(STORED)
class StoredFile(TypedDict):
    """A file of a version: under which name Drive has it, its hash, and its size."""

    stored: str
    sha256: str
    bytes: int


@with_config(STORED)
class StoredVersion(TypedDict):
    """An index: the files of a version by their paths, when it was taken, and the hash of the rest."""

    files: dict[str, StoredFile]
    written: str
    sha256: str


_VERSION: TypeAdapter[StoredVersion] = TypeAdapter(StoredVersion)


@dataclass(frozen=True)
class RestoredVersion:
    """A version that was taken back from Drive.

    Attributes:
        written: when it was taken.
        files: how many it has.
        damaged: later versions that were not whole.
    """

    written: str
    files: int
    damaged: int


class Mirror:
    """One local folder and its versions on Drive.

    Args:
        drive: the folder on Drive.
        name: of the folder in it.
        local: the folder that is mirrored, which need not exist yet.
    """

    def __init__(self, drive: DriveFolder, name: str, local: Path) -> None:
        self.name, self.local = name, local
        self._drive = drive
        self._arrived: set[str] = set()
        self._saved: State = {}
        self._sums: dict[tuple[str, int, int], str] = {}

    def save(self, wanted: frozenset[str] | None = None) -> bool:
        """Bring the folder's state to Drive as a new version.

        Args:
            wanted: paths of files that belong to it; None for all.

        Returns:
            Whether all that there is now is on Drive; False where files changed all the time.

        Raises:
            StorageError: there are too many files.
            OSError: Drive does not take them; what arrived is kept.
        """
        now = state(self.local, wanted)
        if now == self._saved:
            return True
        if len(now) > MOST_FILES:
            raise StorageError(
                "A folder that is copied to Drive may have up to {most} files. {path} has {count}. Put what "
                "need not be kept elsewhere.",
                most=MOST_FILES,
                path=self.local,
                count=len(now),
            )
        with snapshot(self.local, wanted) as held:
            if held is None:
                return False
            files = {name: self._file(name, path) for name, path in held.items()}
            if not files:
                return True
            for name, file in files.items():
                self._bring(file, held[name])
            self._write_index(files)
        self._saved = now
        self._prune()
        return True

    def restore(self) -> RestoredVersion | None:
        """Put the newest version that is whole into the local folder, unless that has files already.

        Returns:
            What was restored; None where there is no whole version, or nothing to do.

        Raises:
            OSError: the local disk does not take it.
        """
        if state(self.local):
            return None
        for damaged, index in enumerate(self._indices()):
            version = self._version(index)
            if version is not None and self._take(version):
                return RestoredVersion(version["written"], len(version["files"]), damaged)
        return None

    # ---- to Drive

    def _file(self, name: str, path: Path) -> StoredFile:
        status = path.stat()
        key = (name, status.st_size, status.st_mtime_ns)
        if key not in self._sums:
            with path.open("rb") as file:
                self._sums[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "stored": stored_name(name, self._sums[key]),
            "sha256": self._sums[key],
            "bytes": status.st_size,
        }

    def _bring(self, file: StoredFile, path: Path) -> None:
        if file["stored"] in self._arrived:
            return
        if not self._drive.holds(self.name, file["stored"], file["sha256"]):
            self._drive.put(self.name, file["stored"], path, file["sha256"])
        self._arrived.add(file["stored"])

    def _write_index(self, files: Mapping[str, StoredFile]) -> None:
        latest = _INDEX.fullmatch(next(iter(self._indices()), ""))
        number = int(latest[1]) + 1 if latest else 1
        version = _signed({"files": dict(files), "written": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
        content = json.dumps(version, indent=1).encode()
        with tempfile.NamedTemporaryFile(dir=self.local.parent, prefix=".index-") as file:
            file.write(content)
            file.flush()
            digest = hashlib.sha256(content).hexdigest()
            # With its hash: another machine may write the same number.
            self._drive.put(self.name, f"index-{number:08}-{digest[:8]}.json", Path(file.name), digest)

    def _prune(self) -> None:
        """Remove versions beyond the latest, and files of none."""
        newest = ((index, self._version(index)) for index in self._indices())
        whole = ((index, version) for index, version in newest if version is not None)
        kept = dict(islice(whole, _VERSIONS))
        used = {file["stored"] for version in kept.values() for file in version["files"].values()} | set(kept)
        for name in set(self._drive.names(self.name)) - used:
            self._drive.remove(self.name, name)
            self._arrived.discard(name)
        self._drive.remove_unfinished(self.name)

    # ---- from Drive

    def _indices(self) -> list[str]:
        """Return the names of all indices, the newest first."""
        return sorted(filter(_INDEX.fullmatch, self._drive.names(self.name)), reverse=True)

    def _version(self, index: str) -> StoredVersion | None:
        """Return a version; None where its index is damaged."""
        content = b""
        try:
            for piece in self._drive.pieces(self.name, index):
                content += piece
                if len(content) > _MOST_INDEX_BYTES:
                    return None
            version = parse_json(_VERSION, content)
        except (OSError, ValueError):
            return None
        whole = _signed({"files": version["files"], "written": version["written"]}) == version
        safe = all(
            left_out_member(name, file["bytes"], None, link=False) is None and "/" not in file["stored"]
            for name, file in version["files"].items()
        )
        return version if whole and safe else None

    def _take(self, version: StoredVersion) -> bool:
        """Copy a version to the local folder; False where a file is missing or damaged."""
        self.local.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".restored-", dir=self.local.parent))
        try:
            for name, file in version["files"].items():
                if not self._fetch(file, place / name):
                    return False
            if self.local.is_dir():
                self.local.rmdir()  # it has no files
            place.chmod(0o755)  # a temporary folder is its owner's alone
            place.replace(self.local)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        self._arrived |= {file["stored"] for file in version["files"].values()}
        self._saved = state(self.local)
        return True

    def _fetch(self, file: StoredFile, target: Path) -> bool:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("wb") as written:
            pieces = self._drive.pieces(self.name, file["stored"])
            while True:
                try:
                    piece = next(pieces, None)
                except OSError:  # Drive's; those of the local disk are not to be taken for damage
                    return False
                if piece is None:
                    return digest.hexdigest() == file["sha256"]
                digest.update(piece)
                written.write(piece)


def stored_name(name: str, sha256: str) -> str:
    """Return the name of a file on Drive: `checkpoints/a.safetensors` is `checkpoints.a-HASH.safetensors`."""
    flat = name.replace("/", ".")
    stem, dot, suffix = flat.rpartition(".")
    return f"{stem}-{sha256[:16]}.{suffix}" if dot else f"{flat}-{sha256[:16]}"


def _signed(content: dict[str, object]) -> dict[str, object]:
    plain = json.dumps(content, sort_keys=True).encode()
    return {**content, "sha256": hashlib.sha256(plain).hexdigest()}
