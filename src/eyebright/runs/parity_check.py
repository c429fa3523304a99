"""The parity check: the sealed model must predict what the training pipeline predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eyebright.data.decode import decode
from eyebright.data.header import read_image
from eyebright.data.manifest import Sample
from eyebright.errors import ModelError
from eyebright.runs.scoring import Predictions
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.sealed.parity import Parity, compare
from eyebright.types import FloatArray

#: Probabilities (N, K) of samples under a root, as the training pipeline computes them.
Reference: TypeAlias = Callable[[Path, Sequence[Sample]], FloatArray]

_COMPARED_IMAGES = 100
# The whole file runs on so many of these; the others were predicted by its two halves, which must not matter.
_WHOLE_IMAGES = 8
_HALVES_DIFFERENCE = 1e-4


def check_parity(
    reference: Reference, model: SealedModel, predictions: Predictions, root: Path, seed: int
) -> Parity:
    """Compare the sealed model with the training pipeline on up to 100 images that were not trained on.

    Args:
        reference: the training pipeline.
        model: the sealed model.
        predictions: of the sealed model, as a whole or in two halves.
        root: of the images.
        seed: of the draw.

    Raises:
        ModelError: they disagree; the sealed model is kept as `model.onnx.rejected`.
    """
    drawn = np.random.default_rng(seed).permutation(len(predictions.samples))[:_COMPARED_IMAGES]
    expected = reference(root, [predictions.samples[i] for i in drawn])
    predicted = predictions.probabilities[drawn]
    whole = _predict_whole(model, root, [predictions.samples[i] for i in drawn[:_WHOLE_IMAGES]])
    halves = compare(predicted[: len(whole)], whole)
    predicted[: len(whole)] = whole
    parity = compare(predicted, expected, model.thresholds)
    if not parity.passed or halves.largest_difference > _HALVES_DIFFERENCE:
        model.reject()
        raise ModelError(
            "The sealed model must match the training pipeline. On {images:image|images}, "
            "{same:prediction agrees|predictions agree} and probabilities differ by up to {largest}. "
            "The file is kept as {path}.rejected; please report this with the output of `eyebright "
            "doctor`.",
            images=parity.images,
            same=parity.same_class,
            largest=f"{max(parity.largest_difference, halves.largest_difference):.4f}",
            path=model.path,
        )
    return parity


def _predict_whole(model: SealedModel, root: Path, samples: Sequence[Sample]) -> FloatArray:
    """Return probabilities (n, K) of the file as it is."""

    def predict(sample: Sample) -> FloatArray:
        return model.probabilities(
            decode(
                read_image(root / sample.path, sample.sha), min_side=model.size, white_level=model.white_level
            )[None]
        )

    return np.concatenate(list(parallel(predict, samples)))
