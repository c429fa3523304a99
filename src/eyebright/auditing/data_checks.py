"""What a training says of its data: shift between two parts, shortcuts, leaks and groups, found in a second.

An audit looks at everything and finds more; here a sample of the images must do, and nothing is planted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eyebright.auditing.classes.shortcuts import TellingProperty, find_shortcuts, properties
from eyebright.auditing.measuring import RecordSpace
from eyebright.auditing.shift import SIGNIFICANT, Shift, compare_parts
from eyebright.data.checks import removed_leaks
from eyebright.data.image_properties import camera
from eyebright.data.manifest import SPLITS, Manifest, Sample, is_subject
from eyebright.runtime.compact.rows import values
from eyebright.runtime.parallel import parallel
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.pca import standardise
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import JsonObject, Split

#: Images of each part that are compared, and images whose properties are measured.
COMPARED, MEASURED = 400, 600


@dataclass(frozen=True)
class PartShift:
    """Two parts, and how recognisable the second one is."""

    parts: tuple[Split, Split]
    shift: Shift

    @property
    def found(self) -> bool:
        """Return whether the parts differ by more than chance would."""
        return self.shift.p <= SIGNIFICANT

    def to_json(self) -> JsonObject:
        """Return it as `metrics.json` holds it."""
        return {
            "parts": list(self.parts),
            "told_apart": self.shift.auc,
            "p": self.shift.p,
            "images": list(self.shift.counts),
            "found": self.found,
        }


@dataclass(frozen=True)
class GroupCounts:
    """How many groups (patients, lots, products) there are by split, and how many of them are in several."""

    splits: dict[Split, int]
    shared: int


@dataclass(frozen=True)
class DataChecks:
    """What was found in the data of a training.

    Attributes:
        shift: between the part that rules are chosen on and the evaluated one; None of too few images.
        shortcuts: properties that give the class away, the best first, with the name of the class told best.
        leaks: images left out because they are in another split as well.
        groups: None where images have none.
    """

    shift: PartShift | None
    shortcuts: Sequence[tuple[TellingProperty, str]]
    leaks: int
    groups: GroupCounts | None

    def to_json(self) -> JsonObject:
        """Return the entry `data_checks` of `metrics.json`."""
        return {
            "shift": None if self.shift is None else self.shift.to_json(),
            "shortcuts": [found.to_json(label) for found, label in self.shortcuts],
            "leaks_removed": self.leaks,
            "groups": None if self.groups is None else asdict(self.groups),
        }


def shift_between(
    manifest: Manifest,
    parts: tuple[Split, Split],
    samples: Sequence[Sample],
    features: npt.NDArray[np.floating],
    seed: int,
) -> PartShift | None:
    """Return whether images of two parts can be told apart; None where they are too few.

    Args:
        manifest: of the images.
        parts: the two.
        samples: N images of them.
        features: (N, D) of these.
        seed: of the draws.
    """
    rows, _, _ = standardise(features)
    second = np.array([sample.split == parts[1] for sample in samples])
    strata = manifest.task.strata(truth_of(samples, manifest))
    found = compare_parts(rows, second, strata, groups_of(samples), seed)
    return None if found is None else PartShift(parts, found)


def shortcuts_of(manifest: Manifest, cache: Path, seed: int) -> list[tuple[TellingProperty, str]]:
    """Return the properties that give the class away in some of the images; none of a multi-label task.

    Args:
        manifest: of all images.
        cache: the feature cache's folder, where what is measured of an image is kept.
        seed: of the choice of images, the folds and the shuffles.
    """
    if manifest.task.multilabel:
        return []
    samples, records = some_images(manifest.samples, MEASURED, seed), RecordSpace(cache)
    lost = {entry.path for entry in records.compute(manifest.root, samples)}
    samples = [sample for sample in samples if sample.path not in lost]
    cameras = list(parallel(lambda sample: camera(manifest.root / sample.path), samples))
    tables = properties(samples, records.read([sample.key for sample in samples]), cameras)
    truth = truth_of(samples, manifest)
    found = find_shortcuts(tables, truth, groups_of(samples), len(manifest.labels), seed)
    return [(one, manifest.labels[one.label[0]]) for one in found if one.is_shortcut]


def some_images(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """Return so many of the images at most, drawn by chance, in their order."""
    drawn = np.random.default_rng(seed).permutation(len(samples))[:count]
    return [samples[place] for place in np.sort(drawn)]


def group_counts(manifest: Manifest) -> GroupCounts | None:
    """Return how many groups there are; None where images have none."""
    splits: dict[str, set[Split]] = defaultdict(set)
    for group, split in values(manifest.samples, "group", "split"):
        if is_subject(group):
            splits[group].add(split)
    if not splits:
        return None
    counts = {part: sum(part in some for some in splits.values()) for part in SPLITS}
    return GroupCounts(counts, sum(len(some) > 1 for some in splits.values()))


def check_data(manifest: Manifest, shift: PartShift | None, cache: Path, seed: int) -> DataChecks:
    """Return what is found in the data of a training, with the shift that was looked for before."""
    shortcuts = shortcuts_of(manifest, cache, seed)
    return DataChecks(shift, shortcuts, removed_leaks(manifest), group_counts(manifest))
