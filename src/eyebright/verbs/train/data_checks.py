"""What a training finds in its data, beside what its model shows: shift, shortcuts, leaks, groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyebright.auditing.data_checks import (
    COMPARED,
    DataChecks,
    PartShift,
    check_data,
    shift_between,
    some_images,
)
from eyebright.data.manifest import Sample
from eyebright.runs.evaluation import Evaluation
from eyebright.sealed.inference import predict_blocks
from eyebright.training.cache.store import default_folder
from eyebright.types import FloatArray, Split
from eyebright.verbs.train.trained_model import TrainedModel


def data_checks(trained: TrainedModel, evaluation: Evaluation, seed: int) -> DataChecks:
    """Return what is found in the images that a model was trained and evaluated on.

    Args:
        trained: the classifier.
        evaluation: of the model, which computed the features of the images that it was run on.
        seed: of all that is drawn.
    """
    return check_data(evaluation.manifest, _shift(trained, evaluation, seed), default_folder(), seed)


def _shift(trained: TrainedModel, evaluation: Evaluation, seed: int) -> PartShift | None:
    """Compare the validation with the test split, or without one the training split with the validation."""
    manifest = evaluation.manifest
    parts: tuple[Split, Split] = ("val", "test") if manifest.of("test") else ("train", "val")
    if parts[0] == "train" and trained.rows is None:
        return None  # the features of training images are not at hand
    samples: list[Sample] = []
    rows: list[npt.NDArray[np.floating]] = []
    for part in parts:
        some = some_images(manifest.of(part), COMPARED, seed)
        if part == "train" and trained.rows is not None:
            features: npt.NDArray[np.floating] | None = trained.rows(some)
        else:
            some, features = _cached(evaluation, some)
        if features is None:
            return None
        samples += some
        rows.append(features)
    return shift_between(manifest, parts, samples, np.concatenate(rows), seed)


def _cached(evaluation: Evaluation, samples: list[Sample]) -> tuple[list[Sample], FloatArray | None]:
    """Return images with their features, as they were cached when the model was run; None without such."""
    kept: list[Sample] = []
    rows: list[FloatArray] = []
    for block in predict_blocks(evaluation.model, evaluation.manifest.root, samples, default_folder()):
        if block.features is None:
            return [], None
        kept += block.samples
        rows.append(block.features)
    return kept, np.concatenate(rows) if rows else None
