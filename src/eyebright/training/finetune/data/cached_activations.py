"""Training data behind a frozen stem: its rows are computed once for each view of an image, and kept.

Each epoch shows another of a few augmented views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eyebright.text.language import translate
from eyebright.training.finetune.data.activation_cache import (
    ActivationJob,
    CachedViews,
    cache_activations,
    keys_of,
    plain_space,
    to_floats,
)
from eyebright.training.finetune.data.mixup import Mixing, MixPlan, before, plan_mix
from eyebright.training.finetune.data.pixel_data import LabelledPixels, as_inputs, targets_of, weighted
from eyebright.training.finetune.data.protocol import batch_slices
from eyebright.types import FloatArray, IntArray


class ActivationData:
    """Inputs (b, D) float32: rows of a frozen stem.

    Args:
        views: of the training images; epoch e shows view e % ``views.count``.
        truth: (N,) class numbers of the training images, or (N, K) their labels.
        weights: (N,) of the training images, 1 in the mean; None where all weigh alike.
        holdout: the holdout images, of the views' size.
        classes: K.
        mixup: Beta's parameter for mixing rows of two images; 0 mixes none.
        teacher: predictions of another model for the same views; targets then hold these behind the labels.
    """

    def __init__(
        self,
        views: CachedViews,
        *,
        truth: IntArray,
        weights: FloatArray | None = None,
        holdout: LabelledPixels,
        classes: int,
        mixup: float = 0.0,
        teacher: CachedViews | None = None,
    ) -> None:
        self.count, self.classes = len(truth), classes
        self.holdout_count, self.ahead = len(holdout.truth), True
        self._source, self._views, self._teacher = views.source, views, teacher
        self._holdout, self._holdout_truth = holdout.pixels, torch.from_numpy(holdout.truth)
        self.truth, self.weights = truth, weights
        self._mixing = Mixing(mixup)
        self._plain = plain_space(views)

    @property
    def size_bytes(self) -> int:
        """Return what all rows take on disk."""
        rows = self._views.count * len(self._views.pixels.samples) + len(self._holdout.samples)
        return rows * self._source.width * np.dtype(np.float16).itemsize

    def compute(self, batch: int = 16, until: float | None = None) -> None:
        """Compute the rows that the cache lacks, ``batch`` images at a time.

        Args:
            batch: images at a time.
            until: on the monotonic clock; views that would not be complete then are left out, but for the
                first. None for all of them.

        Raises:
            StorageError: the disk lacks room; nothing was computed.
        """
        text = translate("Computing the activations of the frozen stem")
        done = cache_activations(self._source, self._jobs, batch, text, until, least=2)
        self._views.limit(done - 1)  # the first are the holdout images

    def draw(self, places: IntArray, epoch: int, generator: torch.Generator) -> ActivationBatch:
        """See :class:`~eyebright.training.finetune.data.protocol.TrainData`."""
        mixed = plan_mix(self._mixing, len(places), self._holdout.size, generator) if self._mixing else None
        return ActivationBatch(self, places, epoch % self._views.count, mixed)

    def holdout(
        self, batch: int, device: torch.device, rows: slice | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See :class:`~eyebright.training.finetune.data.protocol.TrainData`."""
        keys = keys_of(self._holdout.samples)
        for span in batch_slices(self.holdout_count, batch, rows):
            read = to_floats(self._plain.read(keys[span]), device)
            yield read, self._holdout_truth[span].to(device)

    def rows(self, view: int, places: IntArray, device: torch.device) -> Tensor:
        """Return (b, D) of one view of the training images at ``places``."""
        return self._views.read(view, places, device)

    def targets(self, view: int, places: IntArray, device: torch.device) -> Tensor:
        """Return soft targets of one view of the training images at ``places``."""
        found = targets_of(self.truth, self.classes, self._teacher, view, places, device)
        return weighted(found, self.weights, places)

    def _jobs(self) -> Iterator[ActivationJob]:
        yield ActivationJob(self._plain, self._holdout.samples, self._holdout_inputs)
        yield from self._views.jobs()

    def _holdout_inputs(self, places: IntArray) -> Tensor:
        return as_inputs(torch.from_numpy(self._holdout.rows(places)))


@dataclass(frozen=True)
class ActivationBatch:
    """An effective batch of rows."""

    data: ActivationData
    places: IntArray
    view: int
    mixed: MixPlan | None

    @property
    def size(self) -> int:
        """Return images in the batch."""
        return len(self.places)

    def part(self, rows: slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """See :class:`~eyebright.training.finetune.data.protocol.Drawn`."""
        if self.mixed is None:
            return self._plain(self.places[rows], device)
        inputs, targets = self._plain(self.places[before(rows, self.size).numpy()], device)
        places = torch.arange(rows.start, rows.stop)
        return (
            self.mixed.rows(places, inputs[1:], inputs[:-1]),
            self.mixed.rows(places, targets[1:], targets[:-1]),
        )

    def _plain(self, places: IntArray, device: torch.device) -> tuple[Tensor, Tensor]:
        return self.data.rows(self.view, places, device), self.data.targets(self.view, places, device)
