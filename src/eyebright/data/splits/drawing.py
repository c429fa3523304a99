"""Drawing the splits: what belongs together is found, and images are held out by chance or by time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.split import assign, rarest, unit_key
from eyebright.data.splits.by_time import assign_by_time, periods, require_old_images, with_times
from eyebright.data.splits.facts import SplitFacts
from eyebright.data.splits.name_groups import with_name_groups
from eyebright.data.splits.units import joined
from eyebright.data.texts import require_more_than_label, shared_texts, with_texts_beside
from eyebright.errors import DataError
from eyebright.runtime.compact.rows import changed, compact, kept, values
from eyebright.text.format import listed
from eyebright.types import Skipped, Split

#: Finds near duplicates among samples under a root: groups of their places, the middle of each first.
NearDuplicates: TypeAlias = Callable[[Path, Sequence[Sample]], Sequence[Sequence[int]]]


@dataclass(frozen=True)
class Drawing:
    """How images are held out.

    Attributes:
        near_duplicates: finds those that stay in one split; None where only exact copies do.
        by: what decides which images are held out; with "folds" none is, for all are evaluated in turn.
        group_from: a regular expression that finds the groups of images in the names of their files.
        texts_beside: whether texts lie in files beside the images.
    """

    near_duplicates: NearDuplicates | None = None
    by: Literal["chance", "time", "folds"] = "chance"
    group_from: str | None = None
    texts_beside: bool = False


#: Of more images near duplicates are not looked for: the time grows with the square of their number.
MOST_COMPARED = 1_000_000
#: By chance, and only exact copies and groups stay together.
BY_CHANCE = Drawing()


def draw(manifest: Manifest, shares: Mapping[Split, float], seed: int, drawing: Drawing) -> Manifest:
    """Return the manifest with shares of its training split held out, and with what is to be said of it.

    Args:
        manifest: its images lie in the splits that the data gives them, all others in the training split.
        shares: of the training split, to hold out as validation and test split; none where there is nothing
            to draw.
        seed: of the draw.
        drawing: how.
    """
    if drawing.by == "folds":
        _require_no_splits(manifest, "--folds")
        shares = {}
    if drawing.texts_beside:
        manifest = with_texts_beside(manifest)
    require_more_than_label(manifest)
    if drawing.by == "time":
        _require_no_splits(manifest, "--split-by time")
        manifest = with_times(manifest)
    if drawing.group_from is not None:
        named = with_name_groups(manifest.samples, drawing.group_from)
        manifest = replace(manifest, samples=compact(named))
    samples = manifest.samples
    near: Sequence[Sequence[int]] = []
    if drawing.near_duplicates is not None and len(samples) <= MOST_COMPARED:
        near = drawing.near_duplicates(manifest.root, samples)
    elif drawing.near_duplicates is not None:
        reason = (
            "Near duplicates and groups in file names were not looked for: there are {count:image|images}, "
            "and of more than {most} it would take days. Exact copies were kept in the same split. Give "
            "images that belong together a group (--group or --group-from)."
        )
        note = Skipped(".", reason, {"count": len(samples), "most": MOST_COMPARED})
        manifest = replace(manifest, warnings=(*manifest.warnings, note))
    manifest = replace(manifest, samples=joined(samples, [*near, *shared_texts(samples)]))
    manifest = _hold_out(manifest, shares, seed, drawing.by)
    if drawing.by == "time":
        require_old_images(manifest)
    return with_facts(manifest, near, drawing.by if shares or drawing.by == "folds" else "data")


def _require_no_splits(manifest: Manifest, option: str) -> None:
    """Refuse splits that the data has, where an option splits all images.

    Raises:
        DataError: it has some.
    """
    counts = {split: len(manifest.of(split)) for split in SPLITS}
    if counts["val"] or counts["test"]:
        raise DataError(
            "{option} is about all images, so the data must not have splits of its own. {path} has "
            "{val:validation image|validation images} and {test:test image|test images}. Give a folder "
            "of one split, or leave out {option}.",
            option=option,
            path=manifest.root,
            val=counts["val"],
            test=counts["test"],
        )


def _hold_out(manifest: Manifest, shares: Mapping[Split, float], seed: int, by: str) -> Manifest:
    if not any(shares.values()):
        return manifest
    samples = kept(manifest.samples, (split == "train" for split in values(manifest.samples, "split")))
    splits: Sequence[Split]
    if by == "time":
        splits = assign_by_time(samples, shares)
    else:
        several = manifest.task.multilabel
        labels = rarest([s.labels for s in samples]) if several else values(samples, "label")
        keys = (unit_key(s) for s in samples)
        splits = assign(labels, keys, shares.get("val", 0.0), shares.get("test", 0.0), seed)
    waiting = iter(splits)
    drawn = (
        s if s.split != "train" or (split := next(waiting)) == "train" else replace(s, split=split)
        for s in manifest.samples
    )
    return replace(manifest, samples=changed(manifest.samples, drawn))


def with_facts(manifest: Manifest, near: Sequence[Sequence[int]], by: str) -> Manifest:
    """Return the manifest with how its splits came about, and warnings of near duplicates."""
    kept, leaks = [], []
    for group in near:
        samples = sorted((manifest.samples[i] for i in group), key=lambda s: -SPLITS.index(s.split))
        first, *others = samples
        apart = [other for other in others if other.split != first.split]
        leaks += [(first.path, other.path) for other in apart]
        if not apart:
            kept.append(group)
    images = sum(map(len, kept))
    warnings = list(manifest.warnings)
    if images and by != "data":
        reason = (
            "{count:image|images} in {groups:group|groups} are near duplicates of each other (resized, "
            "compressed, cropped or the like). Each group was kept in the same split."
        )
        warnings.append(Skipped(".", reason, {"count": images, "groups": len(kept)}))
    warnings += _divided_groups(manifest)
    if leaks:
        reason = (
            "{count:image is|images are} nearly equal to an image of another split, such as {first} and "
            "{second}, so the metrics may be too optimistic. Run `eyebright audit`, and train with the fixes "
            "that it proposes."
        )
        values = {"count": len(leaks), "first": leaks[0][0], "second": leaks[0][1]}
        warnings.append(Skipped(leaks[0][0], reason, values))
    dates = periods(manifest) if by == "time" else {}
    facts = SplitFacts(by, images, len(kept), tuple(leaks), periods=dates)
    return replace(manifest, warnings=tuple(warnings), facts=facts)


def _divided_groups(manifest: Manifest) -> list[Skipped]:
    """Return a warning of groups that splits of the data's own divide, if there are such."""
    splits: dict[str, set[Split]] = defaultdict(set)
    if len(set(values(manifest.samples, "split"))) > 1:
        for group, split in values(manifest.samples, "group", "split"):
            if group:
                splits[group].add(split)
    divided = [group for group, found in splits.items() if len(found) > 1]
    if not divided:
        return []
    reason = (
        "{count:group lies|groups lie} in several splits, such as {groups}, so the metrics may be too "
        "optimistic. Leave out the splits of the data, so that they are drawn with groups kept whole."
    )
    return [Skipped(".", reason, {"count": len(divided), "groups": listed(sorted(divided), 3)})]
