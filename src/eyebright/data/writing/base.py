"""What every format to write has in common: images come one by one, and keep their bytes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from eyebright.data.formats.known import extensions
from eyebright.data.manifest import Sample
from eyebright.types import JsonObject, Split

#: Names of splits as other tools have them.
SPLIT_NAMES: Mapping[Split, str] = {"train": "train", "val": "validation", "test": "test"}
#: Fields of a sample that formats write where any image has them, and their columns.
FURTHER = ("group", "text", "weight", "time")
#: In front of what is one part, where the data has none.
WHOLE = "train"
_UNSAFE = re.compile(r"[^\w.()+-]+")
_LONGEST = 100


@dataclass(frozen=True)
class DataFacts:
    """What is known of the data before its images are read.

    Attributes:
        name: of the data.
        labels: the classes.
        multilabel: whether an image may have several labels, or none.
        splits: whether the data has splits of its own.
        further: what else is known of images, in the order of its columns; see :data:`FURTHER`.
        licence: of the data, as it says itself; None where it says nothing.
    """

    name: str
    labels: Sequence[str]
    multilabel: bool
    splits: bool
    further: tuple[str, ...]
    licence: str | None = None

    def further_of(self, sample: Sample) -> dict[str, str | float]:
        """Return what else is known of a sample, by column."""
        return {name: getattr(sample, name) for name in self.further}

    def split_of(self, sample: Sample) -> str:
        """Return the name of a sample's split, or of the one part that there is."""
        return SPLIT_NAMES[sample.split] if self.splits else WHOLE


class DataWriter(ABC):
    """Writes images into a folder, one by one; nothing is complete before :meth:`finish`.

    Args:
        folder: an empty folder.
        facts: of the data.
    """

    def __init__(self, folder: Path, facts: DataFacts) -> None:
        self.folder, self.facts = folder, facts
        self._names: set[str] = set()

    @abstractmethod
    def add(self, sample: Sample, data: bytes) -> None:
        """Write one image, or keep it for :meth:`finish`."""

    @abstractmethod
    def finish(self) -> Sequence[JsonObject]:
        """Write what is left, and return what Croissant says of it: its record sets."""

    def file_name(self, folder: str, sample: Sample) -> str:
        """Return a path below ``folder`` that no other image has, like the name that the image had."""
        path = PurePosixPath(sample.path)
        suffix = path.suffix.lower() if path.suffix[1:].lower() in extensions() else ".img"
        stem = _UNSAFE.sub("_", path.stem)[:_LONGEST].lstrip(".") or "image"
        name = f"{folder}/{stem}{suffix}"
        if name.casefold() in self._names:
            name = f"{folder}/{stem}-{sample.sha[:8]}{suffix}"
        number = 1
        while name.casefold() in self._names:
            number += 1
            name = f"{folder}/{stem}-{sample.sha[:8]}-{number}{suffix}"
        self._names.add(name.casefold())
        return name

    def write_image(self, folder: str, sample: Sample, data: bytes) -> str:
        """Write an image below ``folder``, and return its path."""
        name = self.file_name(folder, sample)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name
