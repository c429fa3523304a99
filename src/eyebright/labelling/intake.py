"""Photographs that arrive through the page: named safely, told by their hash, written whole or not at all."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from threading import Lock

from eyebright.data.formats.known import extensions
from eyebright.data.header import Header, read_header
from eyebright.data.manifest import Sample
from eyebright.errors import DataError, EyebrightError, ImageError
from eyebright.labelling.project import Project
from eyebright.runtime.atomic import atomic_path
from eyebright.runtime.context import progress_task
from eyebright.types import Skipped

#: Limits of an archive: members, unpacked bytes in all, and of each, and how much a member may be compressed.
MOST_MEMBERS = 100_000
MOST_BYTES = 20 * 2**30
MOST_MEMBER_BYTES = 512 * 2**20
MOST_RATIO = 200
_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]+')
_DRIVE = re.compile("^[A-Za-z]:")
_LONGEST_NAME = 120
# Of an archive or a member; a password is a RuntimeError.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)


@dataclass
class Arrived:
    """What came of files that arrived.

    Attributes:
        new: images that were not there before.
        known: files whose content was there already.
        refused: files that are no images, or lead elsewhere.
    """

    new: int = 0
    known: int = 0
    refused: list[Skipped] = field(default_factory=list)


class Intake:
    """Takes files into a project; safe to use from several threads.

    Args:
        project: whose images they become.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = Lock()
        self._seen: dict[str, str] | None = None

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Return those of the SHA-256 hashes whose files are not among the images yet.

        A page that was closed while it sent its files goes on with these.
        """
        seen = self._hashes()
        return [digest for digest in digests if digest not in seen]

    def take(self, files: Sequence[tuple[str, bytes]]) -> Arrived:
        """Write files, and take those that are images into the project.

        Args:
            files: names, perhaps with folders, as a browser gives them, and contents.

        Raises:
            StorageError: the disk is full or must not be written.
        """
        arrived = Arrived()
        samples: list[Sample] = []
        for name, content in files:
            try:
                samples.append(self._write(name, content))
            except ImageError as error:
                arrived.refused.append(Skipped(name, error.template, error.values))
        arrived.new = self._project.add(samples)
        arrived.known = len(samples) - arrived.new
        return arrived

    def take_zip(self, path: Path) -> Arrived:
        """Unpack the images of a zip archive into the project.

        Raises:
            DataError: it is no zip archive, or larger than one may be.
            StorageError: the disk is full or must not be written.
        """
        arrived = Arrived()
        try:
            with zipfile.ZipFile(path) as archive:
                members = _safe_members(archive, arrived.refused)
                with progress_task("Unpacking images", total=len(members)) as task:
                    for member in members:
                        self._unpack(archive, member, arrived)
                        task.advance()
        except _UNREADABLE as error:
            raise DataError(
                "The archive must be a zip file. This one cannot be read ({reason}). Pack it again.",
                reason=error,
            ) from None
        return arrived

    def _unpack(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, arrived: Arrived) -> None:
        try:
            content = archive.read(member)  # never more than the size that was checked
        except _UNREADABLE as error:
            reason = (
                "This file of the archive cannot be unpacked ({reason}). Pack it again, without a password."
            )
            arrived.refused.append(Skipped(member.filename, reason, {"reason": error}))
            return
        some = self.take([(member.filename, content)])
        arrived.new += some.new
        arrived.known += some.known
        arrived.refused += some.refused

    def _write(self, name: str, content: bytes) -> Sample:
        """Write one file, if it is an image that is not there yet.

        Raises:
            ImageError: it is no image.
        """
        digest = sha256(content).hexdigest()
        with self._lock:
            known = self._project.get(self._hashes().get(digest, ""))
        if known is not None:
            return known
        target = self._free(safe_name(name))
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
            header = read_header(temporary)
        with self._lock:
            self._hashes()[digest] = header.sha
        return self._sample(target, header)

    def _free(self, name: PurePosixPath) -> Path:
        """Return a path below the received images that no other file has."""
        target = self._project.received / name
        count = 1
        while target.exists():
            count += 1
            target = self._project.received / name.with_stem(f"{name.stem}-{count}")
        return target

    def _sample(self, path: Path, header: Header) -> Sample:
        place = path.relative_to(self._project.root).as_posix()
        return Sample(place, "", "train", header.sha, header.width, header.height, content=header.content)

    def _hashes(self) -> dict[str, str]:
        """Return the images' own hashes by their SHA-256, which browsers can compute."""
        if self._seen is None:
            self._seen = dict(_digests(self._project))
        return self._seen


def _digests(project: Project) -> Iterator[tuple[str, str]]:
    for sample in project.samples:
        try:
            yield sha256(project.path(sample).read_bytes()).hexdigest(), sample.sha
        except OSError:  # it is gone; its file may arrive again
            continue


def safe_name(name: str) -> PurePosixPath:
    """Return the path below the received images for a name that a browser or an archive gives.

    Raises:
        ImageError: it leads elsewhere, or is not the name of an image.
    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or _DRIVE.match(name) or ".." in parts or "\0" in name:
        raise ImageError(
            "A name must stay inside the folder of images. This one leads elsewhere. Rename the file."
        )
    clean = [_UNFIT.sub("-", part).strip(" .")[-_LONGEST_NAME:] for part in parts]
    path = PurePosixPath(*filter(None, clean))
    if path.suffix[1:].lower() not in extensions():
        raise ImageError("The extension must be that of an image. This file has another. Convert it.")
    return path


def _safe_members(archive: zipfile.ZipFile, refused: list[Skipped]) -> list[zipfile.ZipInfo]:
    """Return the members of an archive that are images and can be unpacked safely.

    Raises:
        DataError: the archive has too many members, or too much in them.
    """
    members = [member for member in archive.infolist() if not member.is_dir()]
    total = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS or total > MOST_BYTES:
        raise DataError(
            "An archive must have at most {most} files and unpack to at most {gigabytes} GB. This one has "
            "{count:file|files} of {size} GB. Split it.",
            most=MOST_MEMBERS,
            gigabytes=MOST_BYTES >> 30,
            count=len(members),
            size=f"{total / 2**30:.1f}",
        )
    kept = []
    for member in members:
        name = PurePosixPath(member.filename)
        if name.name.startswith(".") or "__MACOSX" in name.parts:
            continue
        try:
            _require_safe(member)
        except EyebrightError as error:
            refused.append(Skipped(member.filename, error.template, error.values))
        else:
            kept.append(member)
    return kept


def _require_safe(member: zipfile.ZipInfo) -> None:
    safe_name(member.filename)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ImageError("An archive must hold files. This is a link. Pack what it leads to.")
    if member.file_size > MOST_MEMBER_BYTES or member.file_size > MOST_RATIO * max(
        member.compress_size, 1024
    ):
        raise ImageError(
            "A file in an archive must be an image of an ordinary size. This one unpacks to {size} MB. Leave "
            "it out.",
            size=member.file_size >> 20,
        )
