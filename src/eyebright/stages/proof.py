"""The proof that a sealed model answers as the training pipeline did."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eyebright.errors import ModelError
from eyebright.sealed.parity import Parity, compare
from eyebright.stages.judge import Answers
from eyebright.stages.trained import Reference

_COMPARED_IMAGES = 100


def prove(reference: Reference, path: Path, answers: Answers, root: Path, seed: int) -> Parity:
    """Compares the sealed model with the training pipeline on up to 100 images that were not trained on.

    Args:
        reference: the training pipeline.
        path: of the sealed model.
        answers: the sealed model's.
        root: of the images.
        seed: of the draw.

    Raises:
        ModelError: they disagree; the sealed model is kept aside as `model.onnx.rejected`.
    """
    drawn = np.random.default_rng(seed).permutation(len(answers.samples))[:_COMPARED_IMAGES]
    expected = reference(root, [answers.samples[i] for i in drawn])
    parity = compare(answers.probabilities[drawn], expected)
    if not parity.passed:
        path.replace(path.with_name(path.name + ".rejected"))
        raise ModelError(
            "The sealed model must answer as the training pipeline does. On {images} images it names {same} "
            "the same, and probabilities differ by up to {largest}. The file is kept as {path}.rejected; "
            "please report this with the output of `eyebright doctor`.",
            images=parity.images,
            same=parity.same_class,
            largest=f"{parity.largest_difference:.4f}",
            path=path,
        )
    return parity
