"""The proof that a sealed model answers as the training pipeline did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eyebright.data.decode import decode
from eyebright.data.manifest import Sample
from eyebright.errors import ModelError
from eyebright.runs.scoring import Answers
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.sealed.parity import Parity, compare
from eyebright.types import FloatArray
from eyebright.verbs.train.trained_model import Reference

_COMPARED_IMAGES = 100
# Of these the whole file is asked; the others were answered by its two halves, which must not matter.
_WHOLE_IMAGES = 8
_HALVES_DIFFERENCE = 1e-4


def prove(reference: Reference, model: SealedModel, answers: Answers, root: Path, seed: int) -> Parity:
    """Compares the sealed model with the training pipeline on up to 100 images that were not trained on.

    Args:
        reference: the training pipeline.
        model: the sealed model.
        answers: the sealed model's, of its whole file or of its halves.
        root: of the images.
        seed: of the draw.

    Raises:
        ModelError: they disagree; the sealed model is kept aside as `model.onnx.rejected`.
    """
    drawn = np.random.default_rng(seed).permutation(len(answers.samples))[:_COMPARED_IMAGES]
    expected = reference(root, [answers.samples[i] for i in drawn])
    answered = answers.probabilities[drawn]
    whole = _ask_whole(model, root, [answers.samples[i] for i in drawn[:_WHOLE_IMAGES]])
    halves = compare(answered[: len(whole)], whole)
    answered[: len(whole)] = whole
    parity = compare(answered, expected, model.thresholds)
    if not parity.passed or halves.largest_difference > _HALVES_DIFFERENCE:
        path = model.path
        path.replace(path.with_name(path.name + ".rejected"))
        raise ModelError(
            "The sealed model must match the training pipeline. On {images:image|images}, "
            "{same:prediction agrees|predictions agree} and probabilities differ by up to {largest}. "
            "The file is kept as {path}.rejected; please report this with the output of `eyebright "
            "doctor`.",
            images=parity.images,
            same=parity.same_class,
            largest=f"{max(parity.largest_difference, halves.largest_difference):.4f}",
            path=path,
        )
    return parity


def _ask_whole(model: SealedModel, root: Path, samples: Sequence[Sample]) -> FloatArray:
    """Probabilities (n, K) of the file as it is."""

    def answer(sample: Sample) -> FloatArray:
        return model.probabilities(decode(root / sample.path, min_side=model.size)[None])

    return np.concatenate(list(parallel(answer, samples)))
