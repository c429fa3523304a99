"""A folder that a studio works on: its images, the labels that the data has, and where the studio writes.

Everything that the studio writes lies in `studio/` below the folder; the images themselves are never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from threading import Lock

from eyebright.data.contents import with_contents
from eyebright.data.folder import scan_ood
from eyebright.data.manifest import JOINT, Manifest, Sample, parted
from eyebright.data.source import scan_as_given
from eyebright.data.table.chosen import ANY_COLUMNS, BESIDE, Columns
from eyebright.data.texts import text_of_file, with_texts_beside
from eyebright.data.walk import OUTPUT_MARK, has_images, require_folder
from eyebright.errors import DataError, ImageError
from eyebright.labelling.label_state import GIVEN
from eyebright.labelling.label_store import LabelStore
from eyebright.runtime.atomic import storage_errors, write_bytes, write_text
from eyebright.types import Skipped, Split

#: What the studio writes, below the folder of images.
FOLDER = "studio"
#: The column of texts that is read where none is named, and that is written.
TEXT = "text"
_RECEIVED, _TEXTS = "images", "texts"


class Project:
    """The images of a folder, found by their hashes, with their labels.

    Args:
        root: the folder of images.
        text: columns of its table with texts; without any, the column `text` if there is one.
        multilabel: whether an image may have several labels, also where none has so far.

    Raises:
        NotFoundError: it does not exist.
        ConfigError: another studio has it open.
        DataError: there is no such column.
        StorageError: the studio's folder cannot be written.
    """

    def __init__(self, root: Path, text: Sequence[str] = (), *, multilabel: bool = False) -> None:
        self.root = require_folder(root).resolve()
        self.folder = self.root / FOLDER
        self.received = self.folder / _RECEIVED
        self.store = LabelStore(self.folder / "labels.sqlite")
        self.skipped: Sequence[Skipped] = ()
        #: Splits that the data has; empty where it has none.
        self.splits: Mapping[str, Split] = {}
        #: Whether an image may have any number of labels; they are stored as one text.
        self.multilabel = multilabel
        self._samples: dict[str, Sample] = {}
        self._lock = Lock()
        # Texts in files beside the images are always read.
        self._columns = tuple(name for name in text if name != BESIDE)
        try:
            write_text(self.folder / OUTPUT_MARK, "Written by `eyebright studio`, so no class.\n")
            self.received.mkdir(exist_ok=True)
            self._remove_left()
            self._find()
        except BaseException:
            self.store.close()
            raise

    @property
    def samples(self) -> Sequence[Sample]:
        """Return the images by path; of files with the same content one. Their labels are in the store."""
        with self._lock:
            return sorted(self._samples.values(), key=lambda sample: sample.path)

    def __len__(self) -> int:
        return len(self._samples)

    def get(self, sha: str) -> Sample | None:
        """Return the image with this hash; None if there is none."""
        return self._samples.get(sha)

    def path(self, sample: Sample) -> Path:
        """Return where an image lies."""
        return self.root / sample.path

    def add(self, samples: Iterable[Sample]) -> int:
        """Take images that have arrived, their paths relative to the root, and return how many are new."""
        with self._lock:
            new = {sample.sha: sample for sample in samples if sample.sha not in self._samples}
            self._samples |= new
            return len(new)

    def take_text(self, sha: str, content: bytes) -> None:
        """Keep a text that arrived for an image, in place of the one that the data has.

        Args:
            sha: of the image, which is one of the project's.
            content: of the text's file, in UTF-8.

        Raises:
            ImageError: it is no text.
            StorageError: the disk is full or must not be written.
        """
        text = text_of_file(content)
        if text is None:
            raise ImageError("A text must be words in UTF-8. This file holds binary data. Save it as text.")
        self._texts.mkdir(exist_ok=True)
        write_bytes(self._texts / f"{sha}.txt", content)
        with self._lock:
            self._samples[sha] = replace(self._samples[sha], text=text)

    def text_file(self, sha: str) -> Path | None:
        """Return the file of the text that arrived for an image; None where none did."""
        path = self._texts / f"{sha}.txt"
        return path if path.is_file() else None

    @property
    def _texts(self) -> Path:
        return self.folder / _TEXTS

    def labelled(self) -> list[Sample]:
        """Return the images that have a label which counts, with it and the split that the data gives."""
        with self.store.reading() as state:
            labels = dict(state.labels())
        return [
            replace(sample, label=labels[sample.sha], split=self.splits.get(sample.sha, "train"))
            for sample in self.samples
            if sample.sha in labels
        ]

    def folder_labels(self) -> dict[str, str]:
        """Return the names of the folders in which images arrived, by hash, of those without a label.

        None while they lie in fewer than two folders: one alone tells nothing apart.
        """
        place = PurePosixPath(self.received.relative_to(self.root).as_posix())
        with self.store.reading() as state:
            labelled = set(state.images())
        folders = {
            sample.sha: PurePosixPath(sample.path).parent
            for sample in self.samples
            if sample.sha not in labelled and place in PurePosixPath(sample.path).parents
        }
        names = {sha: folder.name for sha, folder in folders.items() if folder != place}
        return names if len(set(names.values())) > 1 else {}

    def classes(self) -> list[str]:
        """Return the classes in use."""
        with self.store.reading() as state:
            found = {label for image, label in state.labels() if image in self._samples}
        return sorted({name for label in found for name in self.names(label)})

    def names(self, label: str) -> tuple[str, ...]:
        """Return the classes that the label of an image stands for, any number where there may be several."""
        return parted(label) if self.multilabel else (label,)

    def _remove_left(self) -> None:
        """Remove what a killed studio left half written: while the labels are locked, nobody else writes."""
        with storage_errors(self.folder):
            left_here = (self.folder.glob(".*.tmp"), self._texts.glob(".*.tmp"))
            for left in (*chain(*left_here), *self.received.rglob(".*.tmp")):
                if left.is_file():
                    left.unlink()

    def _find(self) -> None:
        """Read all images, and take the labels that the data has where nobody labelled the image."""
        found: list[Sample] = []
        skipped: list[Skipped] = []
        given: Manifest | None = None
        if has_images(self.root):
            given = _as_given(self.root, self._columns, multilabel=self.multilabel)
            rest = scan_ood(self.root)
            known = {sample.path for sample in given.samples} if given else set()
            found += given.samples if given else ()
            found += [replace(s, split="train") for s in rest.samples if s.path not in known]
            skipped += [entry for entry in rest.skipped if entry.path != FOLDER]
            if given:
                self._take_labels(given)
        self.multilabel = self.multilabel or self._several_stored(given)
        if has_images(self.received):
            arrived = scan_ood(self.received)
            place = self.received.relative_to(self.root).as_posix()
            found += [replace(s, path=f"{place}/{s.path}", split="train") for s in arrived.samples]
            skipped += arrived.skipped
        deep = [sample for sample in found if sample.white_level]
        known_levels = {sample.path: sample for sample in with_contents(self.root, deep)[0]}
        whole = with_texts_beside(
            Manifest(self.root, tuple(known_levels.get(sample.path, sample) for sample in found)),
            required=False,
        )
        self.add(self._with_arrived_text(sample) for sample in whole.samples)
        self.skipped = [*skipped, *whole.warnings]

    def _several_stored(self, given: Manifest | None) -> bool:
        """Return whether people gave an image several labels, or none, whatever the data says."""
        classes = set(given.labels) if given else set()
        with self.store.reading() as state:
            named = {label for image in state.images() for label in state.by_person(image).values()}
        return any(not label or JOINT in label for label in named - classes)

    def _with_arrived_text(self, sample: Sample) -> Sample:
        path = self.text_file(sample.sha)
        text = None if path is None else text_of_file(path.read_bytes())
        return sample if text is None else replace(sample, text=text)

    def _take_labels(self, given: Manifest) -> None:
        self.multilabel = self.multilabel or given.task.multilabel
        if len({sample.split for sample in given.samples}) > 1:
            self.splits = {sample.sha: sample.split for sample in given.samples}
        with self.store.reading() as state:
            known = set(state.images())
        labels = {s.sha: s.label for s in given.samples if s.sha not in known}
        if labels:
            self.store.add(GIVEN, list(labels.items()))


def _as_given(root: Path, text: Sequence[str], *, multilabel: bool) -> Manifest | None:
    """Return the images that the folder labels, by class folders or a table; None where it does not.

    Raises:
        DataError: columns of texts are named that are not there.
    """
    if text:
        return scan_as_given(root, columns=Columns(text=tuple(text)), multilabel=multilabel)[0]
    # A table whose labels lie in its column of that name is read without texts.
    for columns in (Columns(remembered=Columns(text=(TEXT,))), ANY_COLUMNS):
        with suppress(DataError):
            return scan_as_given(root, columns=columns, multilabel=multilabel)[0]
    return None
