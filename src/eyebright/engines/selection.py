"""Engine selection before training, on a few of the training images, and how it is reported."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from eyebright.backbones.card import Preprocessing
from eyebright.data.checks import naming
from eyebright.data.decode import open_rgb, to_square
from eyebright.engines.choose import Trial
from eyebright.errors import DataError, ImageError, NotFoundError
from eyebright.runtime.context import progress, say
from eyebright.text.language import translate
from eyebright.types import Skipped, UInt8Array

_IMAGES = 12


def trial_images(paths: Sequence[Path], preprocessing: Preprocessing) -> list[UInt8Array]:
    """Return up to twelve images from all over, each (S, S, 3), as the engines see them.

    Raises:
        DataError: none can be read.
    """
    squares: list[UInt8Array] = []
    skipped: list[Skipped] = []
    size, interpolation = preprocessing.size, preprocessing.interpolation
    stride = max(1, len(paths) // _IMAGES)
    for path in chain(paths[::stride], paths):
        try:
            image = open_rgb(path, min_side=size)
        except (ImageError, NotFoundError) as error:  # it is reported when its features are computed
            skipped.append(Skipped(str(path), error.template, error.values))
            continue
        squares.append(to_square(image, size, interpolation=interpolation))
        if len(squares) == _IMAGES:
            return squares
    if not squares:
        none = DataError(
            "Training images must be readable. All of them ({count}) are damaged. Open one in "
            "another program, and copy the images again.",
            count=len(paths),
        )
        raise naming(none, skipped[-len(paths) :])
    return squares


def say_engine(trials: Sequence[Trial]) -> None:
    """Say which engine was selected, and which faster one was not."""
    trial, *others = trials
    rate = f"{trial.images_per_second:.0f}"
    say("Engine: {name}, {rate} images/s on this machine.", name=trial.name, rate=rate)
    for other in others:
        if other.images_per_second > trial.images_per_second:
            text = translate(
                "{name} was faster ({rate} images/s) but rejected: its feature error is {error} of "
                "the spread between images.",
                name=other.name,
                rate=f"{other.images_per_second:.0f}",
                error=f"{100 * other.error:.0f} %",
            )
            progress().say(text)
