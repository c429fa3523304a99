"""The images that a backbone is pretrained on, wherever they lie: each once, unreadable ones left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.unlabelled import scan_unlabelled
from eyebright.errors import DataError
from eyebright.runs.messages import say_skipped
from eyebright.runtime.context import say
from eyebright.types import IntArray

_LEAST = 8
#: Folders that are parts of a data set, not classes.
_PARTS = frozenset({"train", "val", "valid", "validation", "test"})


@dataclass(frozen=True)
class PretrainImages:
    """Images to learn from.

    Attributes:
        manifest: all of them, and what was left out.
        classes: names of the folders that they lie in; empty where these are no classes.
    """

    manifest: Manifest
    classes: tuple[str, ...]

    def truth(self, samples: Collection[Sample]) -> IntArray | None:
        """Return the class numbers (N,) of samples, only to show what neighbours know, if they have any."""
        if not self.classes:
            return None
        numbers = {name: number for number, name in enumerate(self.classes)}
        return np.array([numbers[_class_of(s)] for s in samples], np.int64)


def unlabelled_images(
    place: Path, path_column: str | None = None, excluded: Collection[str] = ()
) -> PretrainImages:
    """Return the images of a folder, an archive or a table, each once.

    Args:
        place: where the images lie, in any folders, or the table that names them.
        path_column: that of a table which holds the paths; None to find it by its name.
        excluded: hashes of images that must not be learned from, since they are evaluated later.

    Raises:
        NotFoundError: the place does not exist.
        DataError: it is of another kind, or holds too few images.
    """
    found = scan_unlabelled(place, path_column)
    say_skipped(found.skipped)
    allowed = [s for s in found.samples if not {s.sha, s.identity} & set(excluded)]
    if left := len(found.samples) - len(allowed):
        say("{count:image is|images are} not learned from: they are evaluated later.", count=left)
    unique = list({s.identity: s for s in reversed(allowed)}.values())[::-1]
    if copies := len(allowed) - len(unique):
        say(
            "{count:copy|copies} of other images left out: an image is not to be told from itself.",
            count=copies,
        )
    if len(unique) < _LEAST:
        raise DataError(
            "Pretraining needs at least {least} different images. {path} has {count}. Give more images: a "
            "few hundred, for it to pay.",
            least=_LEAST,
            path=place,
            count=len(unique),
        )
    say("Found {count:image|images} to learn from.", count=len(unique))
    manifest = replace(found, samples=tuple(sorted(unique, key=lambda s: s.sha)))
    return PretrainImages(manifest, _classes(manifest))


def _classes(manifest: Manifest) -> tuple[str, ...]:
    """Return the folders' names where every image lies in one of several, with two images each at least."""
    counts = Counter(map(_class_of, manifest.samples))
    fits = len(counts) > 1 and "" not in counts and min(counts.values()) > 1
    return tuple(sorted(counts)) if fits else ()


def _class_of(sample: Sample) -> str:
    folders = sample.path.split("/")[:-1]
    if folders and folders[0].lower() in _PARTS:
        folders = folders[1:]
    return folders[0] if folders else ""
