"""Comparison of a model with its teacher, or with the original it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eyebright.data.decode import decode
from eyebright.evaluation.paired import accuracy_difference
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.content import BaselineComparison
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.runtime.context import progress_task
from eyebright.runtime.timing import interleaved_ms
from eyebright.sealed.model import SealedModel
from eyebright.types import Split


def compare_with_baseline(
    baseline: Path, model: SealedModel, predictions: Predictions, split: Split, root: Path
) -> BaselineComparison:
    """Run the baseline on the evaluated images, and time both models.

    Args:
        baseline: a sealed model, or its run.
        model: the new model.
        predictions: of the new model.
        split: the evaluated one.
        root: of the images.
    """
    old = SealedModel(baseline, threads=1)
    places = predictions.of(split)
    samples = [predictions.samples[place] for place in places]
    task = progress_task("Running the baseline model", total=len(samples))
    before = predict_samples(old, root, samples, task=task)
    correct = predictions.correct[places]
    predicted = before.task.names(before.task.predicted(before.probabilities), old.labels)
    correct_before = np.array([name == (s.label,) for name, s in zip(predicted, samples, strict=True)])
    latency, latency_baseline = latencies([model, old], root / samples[0].path)
    return BaselineComparison(
        baseline=str(baseline),
        baseline_sha256=sha256(old.path),
        split=split,
        images=len(samples),
        accuracy=float(correct.mean()),
        accuracy_baseline=float(correct_before.mean()),
        accuracy_difference=accuracy_difference(correct, correct_before, predictions.groups(places)),
        size_bytes=model.size_bytes,
        size_bytes_baseline=old.size_bytes,
        latency_ms=latency,
        latency_ms_baseline=latency_baseline,
    )


def latencies(models: Sequence[SealedModel], image: Path) -> list[float]:
    """Measure the median milliseconds of each model for one decoded image; the models take turns."""
    batches = [decode(image, min_side=model.size, white_level=model.white_level)[None] for model in models]
    calls = [
        lambda model=model, batch=batch: model.probabilities(batch)
        for model, batch in zip(models, batches, strict=True)
    ]
    return interleaved_ms(calls)
