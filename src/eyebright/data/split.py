"""The split: which images train and which evaluate. Seeded, stratified, and no duplicate crosses it."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.errors import DataError
from eyebright.runtime.compact.rows import compact_values
from eyebright.runtime.compact.table import row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eyebright.data.manifest import Sample
    from eyebright.types import IntArray, Split

_Keys: TypeAlias = npt.NDArray[np.uint64]
_Numbers: TypeAlias = npt.NDArray[np.int32]
_NAMES: tuple[Split, ...] = ("train", "val", "test")


def assign(
    labels: Iterable[str], shas: Iterable[str], share_val: float, share_test: float, seed: int
) -> Sequence[Split]:
    """Return the split of each image.

    Images with equal hashes form a group that stays together. Each class gives the requested share of its
    images to each part, to the nearest group, and at least one group to every part as far as its groups
    go round: training first, then validation, then test. A group's place depends on its hash and the seed
    alone: neither on the order of the images nor, but for the rounding, on what else is there, so a split
    hardly moves when images are added.

    Args:
        labels: N class names.
        shas: N hashes, 32 hex digits each.
        share_val: share of each class's images for validation; 0 for none.
        share_test: share of each class's images for test; 0 for none.
        seed: another seed, another split.

    Returns:
        N parts.

    Raises:
        DataError: the shares leave nothing to train on.
    """
    if min(share_val, share_test) < 0 or share_val + share_test >= 1:
        raise DataError(
            "The validation and test shares must lie between 0 and 1 and leave images to train on. "
            "Got {val} for validation and {test} for test. Choose smaller shares.",
            val=share_val,
            test=share_test,
        )
    keys, group = _groups(shas)
    if not len(keys):
        return []
    part = np.zeros(len(keys), np.int8)
    by_class, ends = _by_class(_classes(labels, group, len(keys)))
    sizes = np.zeros(len(keys), np.int32)
    for some in row_blocks(group):
        np.add.at(sizes, group[some], np.int32(1))
    # One class after the other, for what they need is then soon free again.
    for code, share, spare in ((2, share_test, 2 if share_val else 1), (1, share_val, 1)):
        for members in np.split(by_class, ends[:-1]) if share else ():
            free = members[part[members] == 0]
            target = share * float(sizes[members].sum())
            part[free[_held_out(sizes[free], _mix(keys[free], seed, code), target, spare)]] = code
    del keys, sizes, by_class
    return compact_values(map(_NAMES.__getitem__, part[group]))


def unit_key(sample: Sample) -> str:
    """Return 32 hex digits that the images share which must stay together."""
    if sample.group and not sample.unit:
        return blake2b(sample.group.encode(), digest_size=16).hexdigest()
    return sample.together


def rarest(labels: Sequence[Sequence[str]]) -> list[str]:
    """Return each image's rarest label, empty where it has none.

    Parts that hold their share of these hold about their share of every label, for the common ones come along
    (the first step of iterative stratification: Sechidis, Tsoumakas and Vlahavas, 2011).
    """
    counts = Counter(label for some in labels for label in some)
    return [min(some, key=lambda label: (counts[label], label), default="") for some in labels]


def _held_out(sizes: _Numbers, keys: _Keys, target: float, spare: int) -> IntArray:
    """Return indices of the groups of a class to hold out: small groups first, ``spare`` of them stay."""
    # Small first: a much-copied image counts as many in a metric, better trained on than evaluated on.
    order = np.lexsort((keys, sizes))
    size = sizes[order]
    middle = np.cumsum(size) - size / 2
    return order[: max(0, min(max(1, middle.searchsorted(target)), len(order) - spare))]


def _groups(shas: Iterable[str]) -> tuple[_Keys, _Numbers]:
    """Return a 64-bit key for each distinct hash, and each image's index among them."""
    # Of ten million hashes two share so much once in 400,000 draws.
    halves = np.fromiter((int(sha[:16], 16) for sha in shas), np.uint64)
    order = np.argsort(halves).astype(np.int32)
    halves = halves[order]
    new = np.concatenate(([True], halves[1:] != halves[:-1]))[: len(halves)]
    keys = halves[new]
    del halves  # of millions of images, memory is needed now
    group = np.empty(len(order), np.int32)
    group[order] = np.cumsum(new, dtype=np.int32)
    group -= 1
    return keys, group


def _classes(labels: Iterable[str], group: _Numbers, count: int) -> _Numbers:
    """Return each group's class: the first by name where copies disagree."""
    seen: dict[str, int] = {}
    found = np.fromiter((seen.setdefault(label, len(seen)) for label in labels), np.int32, len(group))
    codes = np.empty(len(seen), np.int32)
    codes[[seen[label] for label in sorted(seen)]] = np.arange(len(seen))
    classes = np.full(count, len(codes), np.int32)
    for some in row_blocks(group):
        np.minimum.at(classes, group[some], codes[found[some]])
    return classes


def _by_class(classes: _Numbers) -> tuple[_Numbers, IntArray]:
    """Return the groups, one class after the other, and where each class ends.

    A sort that counts: numpy's takes 8 bytes a group for the places alone, of which there are many millions.
    """
    count = int(classes.max()) + 1
    ends = np.cumsum(sum(np.bincount(classes[some], minlength=count) for some in row_blocks(classes)))
    free = np.concatenate(([0], ends[:-1]))
    found = np.empty(len(classes), np.int32)
    for block in row_blocks(classes):
        some = classes[block]
        order = np.argsort(some, kind="stable")
        counts = np.bincount(some, minlength=count)
        sorted_classes = some[order]
        within = np.arange(len(some)) - (np.cumsum(counts) - counts)[sorted_classes]
        found[free[sorted_classes] + within] = block.start + order
        free += counts
    return found, ends


def _mix(keys: _Keys, seed: int, salt: int) -> _Keys:
    """Return the keys in another order for each seed and split (the finaliser of SplitMix64)."""
    x = keys ^ np.uint64((seed * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))
