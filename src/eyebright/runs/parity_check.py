"""The parity checks: a sealed model predicts as the training pipeline, and answers as was decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eyebright.data.manifest import Sample
from eyebright.data.storage.places import is_file
from eyebright.errors import DataError, ImageError, ModelError, NotFoundError
from eyebright.runs.scoring import Predictions
from eyebright.runtime.onnx_session import open_session
from eyebright.runtime.parallel import parallel
from eyebright.sealed.answer_output import answer_graph
from eyebright.sealed.graph import ANSWER, OUTPUT, UNKNOWN
from eyebright.sealed.model import SealedModel, UnwrittenModel
from eyebright.sealed.parity import Parity, compare
from eyebright.types import FloatArray, IntArray

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

    Images that were predicted from the cache and are gone from the disk are not among them.

    Args:
        reference: the training pipeline.
        model: the sealed model.
        predictions: of the sealed model, as a whole or in two halves.
        root: of the images.
        seed: of the draw.

    Raises:
        ModelError: they disagree; the sealed model is kept as `model.onnx.rejected`.
        DataError: no image is there to compare them on.
    """
    order = np.random.default_rng(seed).permutation(len(predictions.samples))
    there = (i for i in order if is_file(root / predictions.samples[i].path))
    drawn = np.fromiter(islice(there, _COMPARED_IMAGES), np.int64)
    if not len(drawn):
        raise DataError(
            "A sealed model must be compared with the training pipeline on images of the validation or test "
            "split. None of {count} is at its place below {path}. Copy them back.",
            count=len(predictions.samples),
            path=root,
        )
    expected = reference(root, [predictions.samples[i] for i in drawn])
    predicted = predictions.probabilities[drawn]
    whole = _predict_whole(model, root, [predictions.samples[i] for i in drawn[:_WHOLE_IMAGES]])
    halves = compare(predicted[: len(whole)], whole, predictions.task)
    predicted[: len(whole)] = whole
    parity = compare(predicted, expected, predictions.task)
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


def check_answers(model: UnwrittenModel, predictions: Predictions, root: Path) -> None:
    """Make sure that the output `answer` of a finished model is what was decided, on every predicted image.

    The part of the file that decides runs on the probabilities of all images, the whole file on a few.

    Args:
        model: with its final metadata.
        predictions: of the model, by its final decisions.
        root: of the images.

    Raises:
        ModelError: one answer differs; the sealed model is kept as `model.onnx.rejected`.
    """
    probabilities, scores = predictions.probabilities, predictions.scores
    differ = _other_answers(model, probabilities, scores, _answers(model, probabilities, scores))
    for sample in predictions.samples[:_WHOLE_IMAGES]:
        with suppress(ImageError, NotFoundError):  # predicted from the cache, and deleted since
            pixels = model.pixels(root / sample.path, sample.sha)
            differ += _other_answers(model, *model.predict_answers(pixels[None], [sample.text]))
    predicted = predictions.decisions.predict(probabilities)
    differ += int((model.decisions.predict(probabilities) != predicted).sum())
    if differ:
        model.reject()
        raise ModelError(
            "The output answer of the sealed model must be the class that is predicted. It differs on "
            "{count} of {images:image|images}. The file is kept as {path}.rejected; please report this "
            "with the output of `eyebright doctor`.",
            count=differ,
            images=len(predictions.samples),
            path=model.path,
        )


def _answers(model: UnwrittenModel, probabilities: FloatArray, scores: FloatArray | None) -> IntArray:
    """Return the answers (N,) or (N, K) that the file's own graph gives for outputs of its other part."""
    given = {OUTPUT: probabilities} | ({} if scores is None else {UNKNOWN: scores})
    answers: IntArray = open_session(answer_graph(model.graph())).run([ANSWER], given)[0]
    return answers


def _other_answers(
    model: SealedModel, probabilities: FloatArray, scores: FloatArray | None, answers: IntArray
) -> int:
    """Return on how many images the file answers otherwise than its decisions say."""
    equal = answers == model.decisions.answer(probabilities, scores)
    return int((~equal.reshape(len(equal), -1).all(axis=1)).sum())


def _predict_whole(model: SealedModel, root: Path, samples: Sequence[Sample]) -> FloatArray:
    """Return probabilities (n, K) of the file as it is."""

    def predict(sample: Sample) -> FloatArray:
        return model.probabilities(model.pixels(root / sample.path, sample.sha)[None], [sample.text])

    return np.concatenate(list(parallel(predict, samples)))
