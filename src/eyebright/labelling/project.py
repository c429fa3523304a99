"""A folder that a studio works on: its images, the labels that the data has, and where the studio writes.

Everything that the studio writes lies in `studio/` below the folder; the images themselves are never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from threading import Lock

from eyebright.data.contents import with_contents
from eyebright.data.folder import scan_ood
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.source import scan_as_given
from eyebright.data.walk import OUTPUT_MARK, has_images, require_folder
from eyebright.errors import DataError
from eyebright.labelling.label_state import GIVEN
from eyebright.labelling.label_store import LabelStore
from eyebright.runtime.atomic import storage_errors, write_text
from eyebright.types import Skipped, Split

#: What the studio writes, below the folder of images.
FOLDER = "studio"
_RECEIVED = "images"


class Project:
    """The images of a folder, found by their hashes, with their labels.

    Args:
        root: the folder of images.

    Raises:
        NotFoundError: it does not exist.
        ConfigError: another studio has it open.
        DataError: its images have several labels each.
        StorageError: the studio's folder cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = require_folder(root).resolve()
        self.folder = self.root / FOLDER
        self.received = self.folder / _RECEIVED
        self.store = LabelStore(self.folder / "labels.sqlite")
        self.skipped: Sequence[Skipped] = ()
        #: Splits that the data has; empty where it has none.
        self.splits: Mapping[str, Split] = {}
        self._samples: dict[str, Sample] = {}
        self._lock = Lock()
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
            return sorted({label for image, label in state.labels() if image in self._samples})

    def _remove_left(self) -> None:
        """Remove what a killed studio left half written: while the labels are locked, nobody else writes."""
        with storage_errors(self.folder):
            for left in (*self.folder.glob(".*.tmp"), *self.received.rglob(".*.tmp")):
                if left.is_file():
                    left.unlink()

    def _find(self) -> None:
        """Read all images, and take the labels that the data has where nobody labelled the image."""
        found: list[Sample] = []
        skipped: list[Skipped] = []
        if has_images(self.root):
            given = _as_given(self.root)
            rest = scan_ood(self.root)
            known = {sample.path for sample in given.samples} if given else set()
            found += given.samples if given else ()
            found += [replace(s, split="train") for s in rest.samples if s.path not in known]
            skipped += [entry for entry in rest.skipped if entry.path != FOLDER]
            if given:
                self._take_labels(given)
        if has_images(self.received):
            arrived = scan_ood(self.received)
            place = self.received.relative_to(self.root).as_posix()
            found += [replace(s, path=f"{place}/{s.path}", split="train") for s in arrived.samples]
            skipped += arrived.skipped
        deep = [sample for sample in found if sample.white_level]
        known_levels = {sample.path: sample for sample in with_contents(self.root, deep)[0]}
        self.add(known_levels.get(sample.path, sample) for sample in found)
        self.skipped = skipped

    def _take_labels(self, given: Manifest) -> None:
        if given.task.multilabel:
            raise DataError(
                "The studio labels images with one class each. In {path} an image may have several labels. "
                "Edit its table, and use `eyebright train`.",
                path=self.root,
            )
        if len({sample.split for sample in given.samples}) > 1:
            self.splits = {sample.sha: sample.split for sample in given.samples}
        with self.store.reading() as state:
            known = set(state.images())
        labels = {s.sha: s.label for s in given.samples if s.sha not in known}
        if labels:
            self.store.add(GIVEN, list(labels.items()))


def _as_given(root: Path) -> Manifest | None:
    """Return the images that the folder labels, by class folders or a table; None where it does not."""
    try:
        manifest, _ = scan_as_given(root)
    except DataError:
        return None
    return manifest
