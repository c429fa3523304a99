"""The manifest: one table of samples. Every source becomes one; nothing later knows where they came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from eyebright.data.splits.facts import SplitFacts
from eyebright.data.table.chosen import Columns
from eyebright.runtime.compact.rows import kept, ordered, values
from eyebright.task.task import ClassificationTask, MultiClass, MultiLabel
from eyebright.types import Skipped, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: The splits in which images lie.
SPLITS: tuple[Split, ...] = ("train", "val", "test")
#: What is evaluated by a cross-validation: all images, each by a model that did not learn from it.
FOLDS: Split = "folds"
#: What separates the labels of a multi-label image; no label contains a semicolon.
JOINT = "; "
#: How the groups begin that an audit proposes for near duplicates, which are no patients or lots.
COPIES = "copies-"


def is_subject(group: str) -> bool:
    """Return whether a group is a patient, a lot or a product."""
    return bool(group) and not group.startswith(COPIES)


def joined(labels: Iterable[str]) -> str:
    """Return the labels of one image as one text, empty where it has none."""
    return JOINT.join(sorted(labels))


def parted(text: str) -> tuple[str, ...]:
    """Return the labels in what :func:`joined` made of them."""
    return tuple(text.split(JOINT)) if text else ()


def place_of(path: str) -> tuple[str, int, str]:
    """Return what sorts paths as images lie in a file of many: by folder, the numbers in it by their size."""
    folder, _, name = path.rpartition("/")
    return folder, len(name), name


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a manifest.

    Attributes:
        path: relative to the manifest's root, with forward slashes; absolute when it lies elsewhere.
        label: the class's name; where images may have several labels, all of them as one text.
        split: the split that it belongs to.
        sha: BLAKE2b-128 of the file's bytes, in hex; equal images have equal hashes.
        width: pixels, after the EXIF rotation.
        height: pixels, after the EXIF rotation.
        group: images that are not independent share it, and stay in one split; empty where none is known.
        white_level: the grey value that is white where grey has more than 8 bits; 0 of 8-bit images.
        content: the hash of one of the files with these pixels, the same for all of them; empty where no
            other file was looked at.
        unit: 32 hex digits that images share which must stay in one split for more than their group or their
            pixels: near duplicates, and all that they join; empty elsewhere.
        time: when the image was taken, as ISO 8601; empty where that is not known.
        weight: of the image in training, more than 0 in its split; evaluation counts every image once.
        text: what is written about the image, beside it; empty where nothing is.
    """

    path: str
    label: str
    split: Split
    sha: str
    width: int
    height: int
    group: str = ""
    white_level: int = 0
    content: str = ""
    unit: str = ""
    time: str = ""
    weight: float = 1.0
    text: str = ""

    #: What need not be kept twice of many samples; see `eyebright.runtime.compact`.
    MOSTLY_LIKE: ClassVar = {"content": "sha"}

    @property
    def identity(self) -> str:
        """Return what copies have in common: they are one image, whatever metadata their files hold."""
        return self.content or self.sha

    @property
    def together(self) -> str:
        """Return what images share that are not independent: copies, those of a group, near duplicates."""
        return self.unit or self.group or self.identity

    @property
    def key(self) -> bytes:
        """Return the key of what is computed from the pixels: 16 bytes of hash and white level."""
        if not self.white_level:
            return bytes.fromhex(self.sha)
        return blake2b(f"{self.sha} {self.white_level}".encode(), digest_size=16).digest()

    @property
    def place(self) -> tuple[str, int, str]:
        """Return what sorts samples as they lie in a file of many, so that it is read from its beginning."""
        return place_of(self.path)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels of an image that may have several."""
        return parted(self.label)


@dataclass(frozen=True)
class TrainingWeights:
    """How the images of a training weigh.

    Attributes:
        column: of the table; None where the weights come from elsewhere, such as an earlier run.
        lowest: weight of an image.
        highest: weight of an image.
        equal_images: so many images of equal weight would tell as much (Kish's effective sample size).
    """

    column: str | None
    lowest: float
    highest: float
    equal_images: float


@dataclass(frozen=True)
class Manifest:
    """All samples, their classes, and the skipped files with their reasons.

    Attributes:
        root: ``root / sample.path`` is where a sample lies.
        samples: of all splits; a tuple of few, columns of many.
        skipped: files that are not among them.
        warnings: of the data.
        label_set: the labels of a multi-label manifest; None of a multi-class one.
        facts: how the splits came about; None where they were not made here.
        columns: those of the table that lists the images; None where no table does.
    """

    root: Path
    samples: Sequence[Sample]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Skipped, ...] = field(default=())
    label_set: tuple[str, ...] | None = None
    facts: SplitFacts | None = None
    columns: Columns | None = None

    @cached_property
    def task(self) -> ClassificationTask:
        """Return whether an image has one class or any number of labels."""
        return MultiClass() if self.label_set is None else MultiLabel()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Return the classes in the order of the model's outputs."""
        if self.label_set is not None:
            return self.label_set
        return tuple(sorted(set(values(self.samples, "label"))))

    @cached_property
    def white_level(self) -> int | None:
        """Return the white level of the images with grey of more than 8 bits; None where there are none."""
        return max(filter(None, values(self.samples, "white_level")), default=None)

    @cached_property
    def splits(self) -> frozenset[Split]:
        """Return the splits in which there are images."""
        return frozenset(values(self.samples, "split"))

    @cached_property
    def tally(self) -> Mapping[Split, Counter[str]]:
        """Return the number of images by split and class; multi-label images count under each label."""
        found: dict[Split, Counter[str]] = {split: Counter() for split in SPLITS}
        for (split, text), count in Counter(values(self.samples, "split", "label")).items():
            for label in parted(text) if self.task.multilabel else (text,):
                if split in found:
                    found[split][label] += count
        return found

    def of(self, split: Split) -> Sequence[Sample]:
        """Return the samples of one split in the order of their content, so that no result hangs on names."""
        return self._parts[split]

    def counts(self) -> dict[Split, dict[str, int]]:
        """Return the number of images by split and class; multi-label images count under each label.

        Every class is listed in every split.
        """
        return {split: {label: self.tally[split][label] for label in self.labels} for split in SPLITS}

    def without(self, skipped: Iterable[Skipped]) -> Manifest:
        """Return this manifest less the samples whose paths are skipped; the reasons are kept with it."""
        gone = tuple(skipped)
        paths = {s.path for s in gone}
        left = kept(self.samples, (path not in paths for path in values(self.samples, "path")))
        return replace(self, samples=left, skipped=self.skipped + gone)

    @cached_property
    def training_weights(self) -> TrainingWeights | None:
        """Return how the training images weigh; None where all weigh alike."""
        samples = self.of("train")
        known = set(values(samples, "weight"))
        if len(known) < 2:
            return None
        like = sum(values(samples, "weight")) ** 2 / sum(weight**2 for weight in values(samples, "weight"))
        column = None if self.columns is None else self.columns.weight
        return TrainingWeights(column, min(known), max(known), like)

    @cached_property
    def digest(self) -> str:
        """Return the hex hash of images, labels, splits, weights and texts, whatever paths and order."""
        # Hash and part have a fixed alphabet and no file name holds a NUL, so no two tables give one text.
        state = blake2b(digest_size=16)
        for _, equal in groupby(ordered(self.samples, "sha"), attrgetter("sha")):
            for line in sorted(map(_line, equal)):
                state.update(line.encode("utf-8", "surrogatepass"))
        return state.hexdigest()

    @cached_property
    def _parts(self) -> dict[Split, Sequence[Sample]]:
        samples = ordered(self.samples, "sha", "label", "group", "path")
        return {split: kept(samples, (s == split for s in values(samples, "split"))) for split in SPLITS}


def _line(sample: Sample) -> str:
    """Return what a digest takes of a sample; sorted lines are in the order of their hashes."""
    return f"{sample.sha} {sample.split} {sample.label}{_weight_text(sample)}{_text_hash(sample)}\0"


def _weight_text(sample: Sample) -> str:
    """Return what tells a weight; nothing of 1, so that digests without weights stay as they were."""
    return "" if sample.weight == 1 else f"\0{sample.weight!r}"


def _text_hash(sample: Sample) -> str:
    """Return what tells a text; nothing of none, so that digests without texts stay as they were."""
    content = sample.text.encode("utf-8", "surrogatepass")
    return f"\0{blake2b(content, digest_size=16).hexdigest()}" if content else ""
