"""The training images on which a compression is calibrated, and others on which its choices are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eyebright.compression.int8.calibration import Squares
from eyebright.data.decode import load_square
from eyebright.data.manifest import Sample
from eyebright.errors import DataError, ImageError
from eyebright.runtime.context import progress
from eyebright.runtime.parallel import parallel
from eyebright.text.language import translate
from eyebright.types import Interpolation, UInt8Array
from eyebright.verbs.export.images import ExportImages

_MOST, _LEAST = 200, 20  # images of the calibration; with fewer, ranges hang on single images
_HELD_OUT = 64
_SHARE_HELD_OUT = 4  # one of so many, where there are few


def squares(images: ExportImages, size: int, interpolation: Interpolation, seed: int) -> Squares:
    """Draws training images and resizes them to (S, S, 3) as the sealed model does.

    Raises:
        DataError: they are gone, or there are too few.
    """
    training = images.training
    if gone := [sample for sample in training if not (images.root / sample.path).is_file()]:
        raise DataError(
            "An int8 export is calibrated on the training images of the run. Missing: {count} of "
            "{total}, for example {path}. Name their current folder with --data.",
            count=len(gone),
            total=len(training),
            path=images.root / gone[0].path,
        )
    held_out = min(_HELD_OUT, len(training) // _SHARE_HELD_OUT)
    order = np.random.default_rng(seed).permutation(len(training))[: _MOST + held_out]
    text = translate("Reading calibration images")
    with progress().task(text, total=len(order)) as task:

        def read(sample: Sample) -> UInt8Array | None:
            found = _read(images.root / sample.path, size, interpolation)
            task.advance()
            return found

        read_ones = [square for square in parallel(read, [training[i] for i in order]) if square is not None]
    if len(read_ones) - held_out < _LEAST:
        raise DataError(
            "An int8 export needs at least {least} training images for calibration and {held_out} "
            "more for comparison; {most} for calibration are best. Found {count:readable "
            "image|readable images}. Add images, or name more with --data.",
            least=_LEAST,
            held_out=max(held_out, 1),
            most=_MOST,
            count=len(read_ones),
        )
    stacked = np.stack(read_ones)
    return Squares(stacked[held_out:], stacked[:held_out])


def _read(path: Path, size: int, interpolation: Interpolation) -> UInt8Array | None:
    try:
        return load_square(path, size, interpolation)
    except ImageError:  # training left it out, and said so
        return None
