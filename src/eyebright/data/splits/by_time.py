"""Splits in the order of time: the oldest images train, the newest are tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.splits.capture_time import capture_time, read_time
from eyebright.data.splits.facts import Period
from eyebright.errors import DataError
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.text.format import listed
from eyebright.types import Skipped, Split

_SHOWN = 3
_MOST_WITHOUT = 0.5


def with_times(manifest: Manifest) -> Manifest:
    """Return the images whose time is known, with it; the others are skipped.

    Raises:
        DataError: of most images no time is known.
    """

    def taken(sample: Sample) -> str:
        return read_time(sample.time) or capture_time(manifest.root / sample.path, sample.sha)

    with progress_task("Reading times", total=len(manifest.samples)) as task:
        samples = []
        for sample, time in zip(manifest.samples, parallel(taken, manifest.samples), strict=True):
            samples.append(replace(sample, time=time))
            task.advance()
    without = [s.path for s in samples if not s.time]
    if len(without) > _MOST_WITHOUT * len(samples):
        raise DataError(
            "--split-by time needs to know when images were taken, from EXIF (DateTimeOriginal). Of {count} "
            "of {total:image|images} it is not known, such as {examples}. Add the times, or leave out "
            "--split-by.",
            count=len(without),
            total=len(samples),
            examples=", ".join(without[:_SHOWN]),
        )
    reason = "It is not known when this image was taken, so it has no place in splits by time."
    return replace(manifest, samples=tuple(samples)).without(Skipped(path, reason) for path in without)


def assign_by_time(samples: Sequence[Sample], shares: Mapping[Split, float]) -> list[Split]:
    """Return the split of each sample: the oldest train, then come validation and test.

    What belongs together goes where its newest image goes, so that nothing is learned from a time that is
    evaluated; images of one moment stay together.

    Args:
        samples: N images with times.
        shares: of the images, to hold out.

    Raises:
        DataError: there are fewer moments than splits.
    """
    newest: dict[str, str] = {}
    for s in samples:
        newest[s.together] = max(s.time, newest.get(s.together, ""))
    moments, place, counts = np.unique(
        [newest[s.together] for s in samples], return_inverse=True, return_counts=True
    )
    wanted = [split for split in SPLITS if split == "train" or shares.get(split)]
    if len(moments) < len(wanted):
        raise DataError(
            "Splits by time need images of at least {needed} different times, once images that belong "
            "together are joined. There are {count}. Add images, or leave out --split-by.",
            needed=len(wanted),
            count=len(moments),
        )
    # At the middle of each moment's images, the share from there on; each split gets one moment at least.
    after = (np.cumsum(counts[::-1])[::-1] - counts / 2) / len(samples)
    split_of = np.zeros(len(moments), np.int64)
    end = len(moments)
    reached = 0.0
    for number in range(len(wanted) - 1, 0, -1):
        reached += shares[wanted[number]]
        first = int(np.clip(np.searchsorted(-after, -reached, side="right"), number, end - 1))
        split_of[first:end] = number
        end = first
    return [wanted[split_of[one]] for one in place.tolist()]


def require_old_images(manifest: Manifest) -> None:
    """Refuse classes of which no image is among the oldest, which train.

    Raises:
        DataError: naming them.
    """
    if new := [label for label, count in manifest.counts()["train"].items() if not count]:
        raise DataError(
            "With --split-by time, every class must have images among the oldest, which train. All are newer "
            "of: {classes}. Add older images, hold less out, or leave out --split-by.",
            classes=listed(new),
        )


def periods(manifest: Manifest) -> dict[Split, Period]:
    """Return when the images of each split were taken."""
    found: dict[Split, Period] = {}
    for split in SPLITS:
        if times := [s.time for s in manifest.of(split)]:
            found[split] = Period(min(times), max(times))
    return found
