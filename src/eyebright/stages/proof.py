"""The proof that a sealed model answers as the training pipeline did."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eyebright.data.manifest import Sample
from eyebright.errors import ModelError
from eyebright.evaluation.calibration import softmax
from eyebright.runtime.progress import SILENT
from eyebright.sealed.parity import Parity, compare
from eyebright.stages.judge import Answers
from eyebright.training.frozen import FrozenModel
from eyebright.types import FloatArray

_COMPARED_IMAGES = 100


def pipeline_probabilities(
    model: FrozenModel, temperature: float, root: Path, samples: list[Sample]
) -> FloatArray:
    """Probabilities (N, K) by the way that training took: Pillow's resize, the chosen engine, the head."""
    with SILENT.task("", total=len(samples)) as task:
        model.extractor.compute(root, samples, task)
    rows = model.extractor.read(samples, model.extractor.taps)
    return softmax(model.fit.head.logits(rows), temperature)


def prove(
    model: FrozenModel, temperature: float, path: Path, answers: Answers, root: Path, seed: int
) -> Parity:
    """Compares the sealed model with the training pipeline on up to 100 images that were not trained on.

    Raises:
        ModelError: they disagree; the sealed model is kept aside as `model.onnx.rejected`.
    """
    drawn = np.random.default_rng(seed).permutation(len(answers.samples))[:_COMPARED_IMAGES]
    reference = pipeline_probabilities(model, temperature, root, [answers.samples[i] for i in drawn])
    parity = compare(answers.probabilities[drawn], reference)
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
