"""Photographs that arrive through the page: named safely, told by their hash, written whole or not at all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from threading import Lock

from eyebright.data.decode import open_rgb
from eyebright.data.formats.known import extensions
from eyebright.data.header import Header, read_header
from eyebright.data.manifest import Sample
from eyebright.data.storage.base import require_unpackable
from eyebright.data.storage.zip_file import ZipStorage
from eyebright.data.walk import ignored
from eyebright.errors import ImageError
from eyebright.labelling.project import Project
from eyebright.runtime.atomic import atomic_path
from eyebright.runtime.context import progress_task
from eyebright.types import Skipped

_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]+')
_DRIVE = re.compile("^[A-Za-z]:")
_LONGEST_NAME = 120
_LEAST_SIDE = 32
_TEXT = ".txt"
_ALONE = "The text of name.jpg must arrive with it, as name.txt. No image of this name did. Send both."


@dataclass
class Arrived:
    """What came of files that arrived.

    Attributes:
        new: images that were not there before.
        known: files whose content was there already.
        texts: files of texts that were taken for their images.
        refused: files that are no images or cannot be decoded, lead elsewhere, or are texts of no image.
    """

    new: int = 0
    known: int = 0
    texts: int = 0
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

        A page that was closed while it sent its files goes on with these. The hash of an image with a text
        is that of both files, one after the other.
        """
        seen = self._hashes()
        return [digest for digest in digests if digest not in seen]

    def take(self, files: Sequence[tuple[str, bytes]]) -> Arrived:
        """Write files, and take those that are images into the project, with the texts of the same name.

        Args:
            files: names, perhaps with folders, as a browser gives them, and contents; `name.txt` is the text
                of `name.jpg`.

        Raises:
            StorageError: the disk is full or must not be written.
        """
        arrived = Arrived()
        images = [(name, content) for name, content in files if not is_text(name)]
        texts = {_stem(name): (name, content) for name, content in files if is_text(name)}
        samples: list[tuple[str, Sample]] = []
        for name, content in images:
            try:
                samples.append((name, self._write(name, content)))
            except ImageError as error:
                arrived.refused.append(Skipped(name, error.template, error.values))
        arrived.new = self._project.add(sample for _, sample in samples)
        arrived.known = len(samples) - arrived.new
        contents = dict(images)
        for name, sample in samples:
            if (text := texts.get(_stem(name))) is not None:
                self._take_text(sample, contents[name], *text, arrived)
        stems = {_stem(name) for name, _ in images}
        alone = [name for stem, (name, _) in texts.items() if stem not in stems]
        arrived.refused += [Skipped(name, _ALONE) for name in alone]
        return arrived

    def _take_text(self, sample: Sample, image: bytes, name: str, text: bytes, arrived: Arrived) -> None:
        """Keep the text of an image that is the project's by now."""
        try:
            self._project.take_text(sample.sha, text)
        except ImageError as error:
            arrived.refused.append(Skipped(name, error.template, error.values))
            return
        arrived.texts += 1
        with self._lock:
            self._hashes()[sha256(image + text).hexdigest()] = sample.sha

    def take_zip(self, path: Path, name: str) -> Arrived:
        """Unpack the images of a zip archive into the project.

        Args:
            path: of the archive.
            name: that it had where it came from, for the sentences.

        Raises:
            DataError: it is no zip archive, or larger than one may be.
            StorageError: the disk is full or must not be written.
        """
        with path.open("rb") as file:
            archive = ZipStorage(name, file)
            require_unpackable(name, sum(archive.files.values()))
            arrived = Arrived(refused=list(archive.skipped))
            # One after the other, so that not much is in memory at once; a text with its image.
            together: defaultdict[str, list[str]] = defaultdict(list)
            for member in archive.files:
                if not any(map(ignored, member.split("/"))):
                    together[_stem(member)].append(member)
            with progress_task("Unpacking images", total=sum(map(len, together.values()))) as task:
                for members in together.values():
                    self._unpack(archive, members, arrived)
                    task.advance(len(members))
        return arrived

    def _unpack(self, archive: ZipStorage, members: Sequence[str], arrived: Arrived) -> None:
        files = []
        for member in members:
            try:
                if not is_text(member):
                    safe_name(member)  # what is no image need not be unpacked
                files.append((member, archive.read(member)))
            except ImageError as error:
                arrived.refused.append(Skipped(member, error.template, error.values))
            except OSError as error:
                reason = "This file of the archive cannot be unpacked ({reason}). Pack it again."
                arrived.refused.append(Skipped(member, reason, {"reason": error.strerror}))
        some = self.take(files)
        arrived.new += some.new
        arrived.known += some.known
        arrived.texts += some.texts
        arrived.refused += some.refused

    def _write(self, name: str, content: bytes) -> Sample:
        """Write one file, if it is an image that is not there yet.

        Raises:
            ImageError: it is no image, or one that cannot be decoded, as when it is cut off.
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
            # The header of a file that is cut off looks well; a JPEG is decoded at an eighth of its size.
            open_rgb(content, min_side=_LEAST_SIDE)
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
            state = sha256(project.path(sample).read_bytes())
            yield state.hexdigest(), sample.sha
            if (text := project.text_file(sample.sha)) is not None:
                state.update(text.read_bytes())
                yield state.hexdigest(), sample.sha
        except OSError:  # it is gone; its file may arrive again
            continue


def is_text(name: str) -> bool:
    """Return whether a file holds the text of an image."""
    return name.lower().endswith(_TEXT)


def _stem(name: str) -> str:
    """Return what an image and its text have in common."""
    folder, _, file = name.replace("\\", "/").rpartition("/")
    return f"{folder}/{file.rpartition('.')[0]}"


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
