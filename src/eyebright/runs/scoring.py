"""Predictions of a sealed model for labelled images, and their metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from eyebright.data.checks import naming
from eyebright.data.manifest import Sample, is_subject, joined
from eyebright.errors import DataError
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.group_figures import GroupResults, group_means, measure_groups
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.measure import Majority, majority_of, measure_split
from eyebright.evaluation.multiclass.results import Metrics, PredictionRow
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.runtime.compact.rows import compact, kept, picked, values
from eyebright.runtime.compact.table import GrowingTable, row_blocks, rows_at
from eyebright.runtime.context import progress_task
from eyebright.runtime.progress import Task
from eyebright.sealed.inference import OnDecoded, predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.task.task import ClassificationTask
from eyebright.training.linear_probe.folds import groups_of
from eyebright.types import BoolArray, FloatArray, IntArray, Skipped, Split


@dataclass(frozen=True)
class Predictions:
    """Probabilities that a sealed model predicts for labelled images.

    Attributes:
        samples: N images.
        labels: K classes.
        probabilities: (N, K).
        skipped: images that could not be read.
        decisions: how the model decides.
        scores: (N,) OOD scores; None of a model without.
        answered: (N,) or (N, K) what was predicted, where models of several folds did, each by its own
            decisions; None where the decisions tell.
    """

    samples: Sequence[Sample]
    labels: tuple[str, ...]
    probabilities: FloatArray
    skipped: Sequence[Skipped]
    decisions: Decisions
    scores: FloatArray | None = None
    answered: IntArray | None = None

    @property
    def task(self) -> ClassificationTask:
        """Return the task, which predicts as the model decides."""
        return self.decisions.task

    @property
    def thresholds(self) -> Float64Array | None:
        """Return (K,) probabilities from which on a label is predicted; None of a single-label model."""
        return self.decisions.thresholds if self.decisions.multilabel else None

    @cached_property
    def truth(self) -> IntArray:
        """Return class numbers (N,), or (N, K) of 0 and 1 of a multi-label model."""
        return self.task.encode(self.samples, self.labels)

    @cached_property
    def kinds(self) -> IntArray:
        """Return (N,) numbers of the samples' classes, or of their sets of labels."""
        names = {name: i for i, name in enumerate(sorted(set(values(self.samples, "label"))))}
        found = (names[label] for label in values(self.samples, "label"))
        return np.fromiter(found, np.int64, len(self.samples))

    @cached_property
    def correct(self) -> BoolArray:
        """Return (N,) whether the class, or exactly the labels of an image, were predicted."""
        return self.task.agree(self.predicted, self.truth)

    @cached_property
    def predicted(self) -> IntArray:
        """Return the predicted class numbers (N,), or labels (N, K) of a multi-label model."""
        return self.task.predicted(self.probabilities) if self.answered is None else self.answered

    def are_correct(self, probabilities: FloatArray, truth: IntArray) -> BoolArray:
        """Return (n,) whether other predictions (n, K) are correct; ``truth`` may be one for all."""
        return self.task.agree(self.task.predicted(probabilities), truth)

    def rows(self) -> Sequence[PredictionRow]:
        """Return one row an image, as `predictions.csv` and the report take it."""
        return compact(row for some in row_blocks(self.probabilities) for row in self._rows(some))

    def _rows(self, some: slice) -> Iterator[PredictionRow]:
        """Yield the rows of some images."""
        task, probabilities, predicted = self.task, self.probabilities[some], self.predicted[some]
        confidence = task.confidence(probabilities, predicted)
        of_truth = task.confidence(probabilities, self.truth[some])
        names = task.names(predicted, self.labels)
        rows = zip(self.samples[some], names, confidence, of_truth, probabilities, strict=True)
        for s, name, c, t, p in rows:
            yield PredictionRow(
                s.path,
                s.split,
                s.label,
                joined(name),
                float(c),
                float(t),
                s.sha,
                tuple(map(float, p)) if task.multilabel else (),
                s.group,
            )

    def of(self, split: Split) -> IntArray:
        """Return the places (n,) of the samples of one split."""
        here = (one == split for one in values(self.samples, "split"))
        return np.flatnonzero(np.fromiter(here, np.bool_, len(self.samples)))

    def scores_of(self, split: Split) -> FloatArray:
        """Return OOD scores (n,) of one split; empty of a model without."""
        return np.empty(0, np.float32) if self.scores is None else self.scores[self.of(split)]

    def labelled(self, split: Split) -> Labelled:
        """Return the predictions and the truth of one split."""
        places = self.of(split)
        return Labelled(
            rows_at(self.probabilities, places), rows_at(self.truth, places), split, self.groups(places)
        )

    def groups(self, places: IntArray) -> IntArray | None:
        """Return (n,) numbers that images of one group and copies share; None where no two are related."""
        found = groups_of(picked(self.samples, places))
        return found if len(found) and int(found.max()) + 1 < len(found) else None

    def majority(self, split: Split) -> Majority:
        """Return the most frequent class, or set of labels, of one split."""
        return majority_of(list(values(picked(self.samples, self.of(split)), "label")))

    def group_results(self, split: Split) -> GroupResults | None:
        """Return how the groups (patients, lots) of one split are found; None where images have none."""
        places = self.of(split)
        groups = self.groups(places)
        if groups is None or not any(map(is_subject, values(picked(self.samples, places), "group"))):
            return None
        task, truth = self.task, self.truth[places]
        means = group_means(groups, rows_at(self.probabilities, places))
        predicted, by_mean = self.predicted[places], task.predicted(means)
        classes = {
            label: measure_groups(
                groups, task.positive(truth, k), task.positive(predicted, k), task.positive(by_mean, k)
            )
            for k, label in enumerate(self.labels)
        }
        return GroupResults(len(means), len(places), classes)

    def require_images(self, split: Split) -> None:
        """Require that an image of the split could be read.

        Raises:
            DataError: none could.
        """
        if not len(self.of(split)):
            error = DataError(
                "The {split} split must contain a readable image. All of its images are damaged. "
                "Copy them again, or choose another split.",
                split=split,
            )
            raise naming(error, self.skipped)

    def metrics(self, split: Split, seed: int) -> Metrics:
        """Measure one split.

        Args:
            split: to measure.
            seed: of the bootstrap intervals.

        Raises:
            DataError: no image of the split could be read.
        """
        self.require_images(split)
        places = self.of(split)
        return measure_split(
            self.task,
            rows_at(self.truth, places),
            rows_at(self.probabilities, places),
            self.labels,
            split,
            predicted=rows_at(self.predicted, places),
            groups=self.groups(places),
            seed=seed,
        )


def predict_samples(
    model: SealedModel,
    root: Path,
    samples: Sequence[Sample],
    cache: Path | None = None,
    seen: OnDecoded | None = None,
    task: AbstractContextManager[Task] | None = None,
) -> Predictions:
    """Run the sealed model on ``samples``, one image a call, on every core.

    Args:
        model: opened with one thread a call.
        root: of the images.
        samples: N images.
        cache: the feature cache's folder; images whose features it holds are predicted from there.
        seen: is called with the pixels of each image that is decoded.
        task: the progress to show, which advances by N; by default "Running the sealed model".

    Raises:
        DataError: no image can be read.
        StorageError: probabilities of many images cannot be kept in a file.
    """
    rows = GrowingTable(cache)
    scores: list[FloatArray] = []
    skipped: list[Skipped] = []
    with task or progress_task("Running the sealed model", total=len(samples)) as shown:
        for block in predict_blocks(model, root, samples, cache, seen):
            shown.advance(len(block.samples) + len(block.skipped))
            rows.add(block.probabilities)
            if block.scores is not None:
                scores.append(block.scores)
            skipped += block.skipped
    if len(skipped) == len(samples):
        error = DataError(
            "At least one image to evaluate must be readable. Got {count:image|images}, none of them "
            "readable. Copy the images again.",
            count=len(samples),
        )
        raise naming(error, skipped)
    gone = {entry.path for entry in skipped}
    read = kept(samples, (path not in gone for path in values(samples, "path"))) if gone else samples
    ood_scores = np.concatenate(scores) if scores else None
    return Predictions(read, model.labels, rows.whole(), skipped, model.decisions, ood_scores)
