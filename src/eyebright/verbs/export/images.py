"""The images that an export is compared and calibrated on: the run's own, wherever they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.compression.int8.calibration import CalibrationImages
from eyebright.data.decode import load_sample
from eyebright.data.manifest import Sample
from eyebright.data.storage.places import is_file
from eyebright.data.table.chosen import ANY_COLUMNS, Columns
from eyebright.errors import DataError, ImageError
from eyebright.runs.images import check_labels, drawn, manifest_of
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.types import Interpolation, Split, UInt8Array

_MOST, _LEAST = 200, 20  # calibration images; with fewer, ranges depend on single images
_HOLDOUT = 64
_HOLDOUT_SHARE = 4  # one of so many, where there are few


@dataclass(frozen=True)
class ExportImages:
    """Samples under a root.

    Attributes:
        root: ``root / sample.path`` is an image's file.
        compared: images on which the certificate is made.
        split: which these are: "val", or "train" of a model that was cross-validated and learned from all.
        training: for calibration and quantisation-aware training.
    """

    root: Path
    compared: Sequence[Sample]
    training: Sequence[Sample]
    split: Split = "val"


def export_images(
    model: SealedModel, data: Path | None, count: int, seed: int, columns: Columns = ANY_COLUMNS
) -> ExportImages:
    """Find the images of a model.

    Args:
        model: the original; its run's manifest is in the same directory, or ``data`` is given.
        data: a folder to look in instead; images that the run knows keep their split, by their content.
        count: of validation images, at most; they are drawn with ``seed``.
        seed: of the draw, and of the split where ``data`` has neither splits nor a run that knows it.
        columns: those of the table in ``data``.

    Raises:
        DataError: the images are missing, or none is left to compare on.
    """
    manifest = manifest_of(model, data, seed, ("val",), columns)
    check_labels(manifest, model)
    folds = manifest.facts is not None and manifest.facts.folds
    split: Split = "train" if folds and not manifest.of("val") else "val"
    compared = drawn(manifest, count, seed, split)
    return ExportImages(manifest.root, compared, manifest.of("train"), split)


def read_calibration_images(
    images: ExportImages, size: int, interpolation: Interpolation, seed: int
) -> CalibrationImages:
    """Draw training images and resize them to (S, S, 3) as the sealed model does.

    Raises:
        DataError: they are missing, or there are too few.
    """
    training = images.training
    if missing := [sample for sample in training if not is_file(images.root / sample.path)]:
        raise DataError(
            "An int8 export is calibrated on the training images of the run. Missing: {count} of "
            "{total}, for example {path}. Name their current folder with --data.",
            count=len(missing),
            total=len(training),
            path=images.root / missing[0].path,
        )
    holdout = min(_HOLDOUT, len(training) // _HOLDOUT_SHARE)
    order = np.random.default_rng(seed).permutation(len(training))[: _MOST + holdout]
    with progress_task("Reading calibration images", total=len(order)) as task:

        def read(sample: Sample) -> UInt8Array | None:
            found = _read(images.root, sample, size, interpolation)
            task.advance()
            return found

        readable = [image for image in parallel(read, [training[i] for i in order]) if image is not None]
    if len(readable) - holdout < _LEAST:
        raise DataError(
            "An int8 export needs at least {least} training images for calibration and {held_out} "
            "more for comparison; {most} for calibration are best. Found {count:readable "
            "image|readable images}. Add images, or name more with --data.",
            least=_LEAST,
            held_out=max(holdout, 1),
            most=_MOST,
            count=len(readable),
        )
    stacked = np.stack(readable)
    return CalibrationImages(stacked[holdout:], stacked[:holdout])


def _read(root: Path, sample: Sample, size: int, interpolation: Interpolation) -> UInt8Array | None:
    try:
        return load_sample(root, sample, size, interpolation)
    except ImageError:  # training skipped it, and said so
        return None
