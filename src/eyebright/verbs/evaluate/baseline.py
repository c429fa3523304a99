"""A finished model beside the one that it learned from or was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eyebright.data.decode import decode
from eyebright.data.manifest import Manifest
from eyebright.evaluation.paired import accuracy_difference
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.content import BaselineComparison
from eyebright.runs.scoring import Answers, ask
from eyebright.runtime.context import progress_task
from eyebright.runtime.timing import interleaved_ms
from eyebright.sealed.model import SealedModel
from eyebright.types import Split


def beside_parent(parent: Path, model: Path, answers: Answers, manifest: Manifest) -> BaselineComparison:
    """Asks the parent about the images that are reported, and times both.

    Args:
        parent: the sealed model to compare with, or its run.
        model: the new one.
        answers: the new one's, for the validation and test parts.
        manifest: of the images.
    """
    old, new = SealedModel(parent, threads=1), SealedModel(model, threads=1)
    split: Split = "test" if manifest.of("test") else "val"
    places = answers.of(split)
    samples = [answers.samples[place] for place in places]
    with progress_task("Running the baseline model", total=len(samples)) as task:
        before = ask(old, manifest.root, samples, task)
    right = answers.probabilities[places].argmax(axis=1) == answers.truth[places]
    named = [old.labels[best] for best in before.probabilities.argmax(axis=1)]
    right_before = np.array([label == s.label for label, s in zip(named, samples, strict=True)])
    latency, latency_parent = latencies([new, old], manifest.root / samples[0].path)
    return BaselineComparison(
        baseline=str(parent),
        baseline_sha256=sha256(old.path),
        split=split,
        images=len(samples),
        accuracy=float(right.mean()),
        accuracy_baseline=float(right_before.mean()),
        accuracy_difference=accuracy_difference(right, right_before),
        size_bytes=new.path.stat().st_size,
        size_bytes_baseline=old.path.stat().st_size,
        latency_ms=latency,
        latency_ms_baseline=latency_parent,
    )


def latencies(models: list[SealedModel], image: Path) -> list[float]:
    """Median milliseconds of one answer of each model, asked in turn about one decoded image."""
    batches = [decode(image, min_side=model.size)[None] for model in models]
    calls = [
        lambda model=model, batch=batch: model.probabilities(batch)
        for model, batch in zip(models, batches, strict=True)
    ]
    return interleaved_ms(calls)
