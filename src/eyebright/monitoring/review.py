"""Which logged images a person should look at, as the table that the studio's review queue takes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from eyebright.runtime.atomic import write_text
from eyebright.types import BoolArray, FloatArray

#: Why: the answer was unknown, images changed since the reference, or the answer is likely wrong.
Reason: TypeAlias = Literal["unknown", "drifted", "doubtful"]

#: The header of the table.
COLUMNS = ("path", "score", "reason")
# The chance of being right below which an image is worth a look without any change.
_DOUBTFUL = 0.7


@dataclass(frozen=True)
class ReviewImage:
    """An image to look at.

    Attributes:
        path: of the image, as it was logged.
        score: how much a look is worth: the estimated chance that the answer is wrong.
        reason: why.
    """

    path: str
    score: float
    reason: Reason


def images_to_review(
    names: Sequence[str], chances: FloatArray, unknown: BoolArray, *, changed: bool
) -> list[ReviewImage]:
    """Return the images to look at, the most worthwhile first: unknown ones, then by score.

    Args:
        names: of R images; empty of those that were logged without one, which nobody finds again.
        chances: (R,) the estimated chance that each answer is right.
        unknown: (R,) which answers were unknown.
        changed: whether images are no longer those of the reference; then all are worth a look.
    """
    found: dict[str, ReviewImage] = {}
    for name, chance, outlying in zip(names, chances.tolist(), unknown.tolist(), strict=True):
        reason: Reason = "unknown" if outlying else "drifted" if changed else "doubtful"
        if name and (reason != "doubtful" or chance < _DOUBTFUL):
            found[name] = ReviewImage(name, 1 - chance, reason)
    return sorted(found.values(), key=lambda image: (image.reason != "unknown", -image.score))


def write_review(path: Path, images: Sequence[ReviewImage]) -> None:
    """Write the table as CSV, whole or not at all; paths are made absolute.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((str(Path(one.path).absolute()), f"{one.score:.4f}", one.reason) for one in images)
    write_text(path, buffer.getvalue())
