"""What a sealed model answers about labelled images, and how good that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.data.manifest import Sample, joined
from eyebright.errors import DataError
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.multiclass.metrics import measure
from eyebright.evaluation.multiclass.results import Metrics, PredictionRow
from eyebright.evaluation.multilabel.metrics import measure_labels
from eyebright.evaluation.rules.answering import answered, set_probabilities
from eyebright.runtime.progress import Task
from eyebright.sealed.inference import OnDecoded, predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.training.linear_probe.folds import class_numbers, groups_of
from eyebright.training.linear_probe.targets import label_table
from eyebright.types import FloatArray, IntArray, Skipped, Split

BoolArray: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """A sealed model's probabilities (N, K) for N samples, and the images that could not be read.

    ``thresholds`` (K,) say from which probability on a label is named where an image may have several.
    ``scores`` (N,) say how strange the images are; None of a model that does not tell.
    """

    samples: Sequence[Sample]
    labels: tuple[str, ...]
    probabilities: FloatArray
    skipped: Sequence[Skipped]
    thresholds: Float64Array | None = None
    scores: FloatArray | None = None

    @cached_property
    def truth(self) -> IntArray:
        """(N,) class numbers, or (N, K) of 0 and 1 where an image may have several labels."""
        if self.thresholds is not None:
            return label_table(self.samples, self.labels)
        return class_numbers(self.samples, self.labels)

    @cached_property
    def kinds(self) -> IntArray:
        """(N,) numbers of the classes, or of the sets of labels, that the samples have."""
        return np.unique([s.label for s in self.samples], return_inverse=True)[1].astype(np.int64)

    @cached_property
    def right(self) -> BoolArray:
        """(N,) whether the class, or just the labels that an image has, were named."""
        return self.are_right(self.probabilities, self.truth)

    def are_right(self, probabilities: FloatArray, truth: IntArray) -> BoolArray:
        """The same of other answers (n, K), to images of ``truth``, which may be one for all."""
        if self.thresholds is None:
            return np.asarray(probabilities.argmax(axis=1) == truth)
        return np.asarray((answered(probabilities, self.thresholds) == truth).all(axis=1))

    def rows(self) -> list[PredictionRow]:
        """One row an image."""
        if self.thresholds is not None:
            return self._label_rows(self.thresholds)
        best = self.probabilities.argmax(axis=1)
        return [
            PredictionRow(s.path, s.split, s.label, self.labels[b], float(p[b]), float(p[t]), s.sha)
            for s, b, t, p in zip(self.samples, best, self.truth, self.probabilities, strict=True)
        ]

    def _label_rows(self, thresholds: Float64Array) -> list[PredictionRow]:
        """Confidence is the probability that just the named labels hold."""
        named = answered(self.probabilities, thresholds)
        sure = set_probabilities(self.probabilities, named)
        own = set_probabilities(self.probabilities, self.truth)
        texts = [joined(label for label, n in zip(self.labels, row, strict=True) if n) for row in named]
        return [
            PredictionRow(s.path, s.split, s.label, text, float(c), float(o), s.sha, tuple(map(float, p)))
            for s, text, c, o, p in zip(self.samples, texts, sure, own, self.probabilities, strict=True)
        ]

    def of(self, split: Split) -> IntArray:
        """The places (n,) of the samples of one part."""
        return np.array([i for i, s in enumerate(self.samples) if s.split == split], np.int64)

    def scores_of(self, split: Split) -> FloatArray:
        """How strange the images of one part are, (n,); empty of a model that does not tell."""
        return np.empty(0, np.float32) if self.scores is None else self.scores[self.of(split)]

    def labelled(self, split: Split) -> Labelled:
        """The answers of one part, with its classes."""
        places = self.of(split)
        return Labelled(self.probabilities[places], self.truth[places], split)

    def require_images(self, split: Split) -> None:
        """Refuses a part of which no image could be read.

        Raises:
            DataError: saying so.
        """
        if not len(self.of(split)):
            raise DataError(
                "The {split} split must contain a readable image. All of its images are damaged. "
                "Copy them again, or choose another split.",
                split=split,
            )

    def metrics(self, split: Split, seed: int) -> Metrics:
        """Figures of one part.

        Raises:
            DataError: no image of the part could be read.
        """
        self.require_images(split)
        places = self.of(split)
        whole = len(places) == len(self.samples)
        probabilities = self.probabilities if whole else self.probabilities[places]
        # Copies of an image tell no more than the image does.
        groups = groups_of([self.samples[i] for i in places])
        copied = int(groups.max()) + 1 < len(groups)
        if self.thresholds is not None:
            return measure_labels(
                self.truth[places],
                probabilities,
                self.thresholds,
                self.labels,
                split,
                groups=groups if copied else None,
                seed=seed,
            )
        return measure(
            self.truth[places],
            probabilities,
            self.labels,
            split,
            groups=groups if copied else None,
            seed=seed,
        )


def ask(
    model: SealedModel,
    root: Path,
    samples: Sequence[Sample],
    task: Task,
    cache: Path | None = None,
    seen: OnDecoded | None = None,
) -> Answers:
    """Asks the sealed model about ``samples``, one image a call, every core at work.

    Args:
        model: opened with one thread a call.
        root: of the images.
        samples: N images.
        task: advances by N.
        cache: the feature cache's folder; images whose features it holds are answered from there.
        seen: is shown the pixels of each image that is decoded.

    Raises:
        DataError: no image can be read.
    """
    kept: list[Sample] = []
    rows: list[FloatArray] = []
    scores: list[FloatArray] = []
    skipped: list[Skipped] = []
    for block in predict_blocks(model, root, samples, cache, seen):
        task.advance(len(block.samples) + len(block.skipped))
        kept += block.samples
        rows.append(block.probabilities)
        if block.scores is not None:
            scores.append(block.scores)
        skipped += block.skipped
    if not kept:
        raise DataError(
            "At least one image to evaluate must be readable. Got {count:image|images}, none of them "
            "readable. Copy the images again.",
            count=len(samples),
        )
    strangeness = np.concatenate(scores) if scores else None
    return Answers(kept, model.labels, np.concatenate(rows), skipped, model.thresholds, strangeness)
