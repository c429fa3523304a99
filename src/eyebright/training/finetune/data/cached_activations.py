"""Training data behind a frozen part: its rows are computed once for each view of an image, and kept.

Each epoch shows another of a few augmented views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eyebright.text.language import translate
from eyebright.training.cache.store import FeatureSpace
from eyebright.training.finetune.data.activation_cache import (
    Job,
    Prefix,
    ViewRows,
    compute_rows,
    keys_of,
    to_floats,
)
from eyebright.training.finetune.data.augment import Augmentation
from eyebright.training.finetune.data.mixup import Mixing, MixPlan, before, plan_mix
from eyebright.training.finetune.data.pixel_data import as_inputs, targets_of
from eyebright.training.finetune.data.pixels import Pixels
from eyebright.training.finetune.data.protocol import blocks
from eyebright.types import IntArray


class PrefixData:
    """Inputs (b, D) float32: rows of a frozen part.

    Args:
        prefix: the frozen part.
        pixels: the training images, of ``augmentation.stored_size(S)``.
        truth: (N,) their class numbers.
        held_out: the held-out images, of size S.
        held_out_truth: their class numbers.
        classes: K.
        augmentation: of the training images; where it changes nothing there is one view.
        cache: folder that rows are kept in.
        views: of each training image; epoch e shows view e % views.
        seed: of the augmentation.
        mixup: Beta's parameter for mixing rows of two images; 0 mixes none.
        teacher: what another model answers for the same views; targets then hold it behind the labels.
    """

    def __init__(
        self,
        prefix: Prefix,
        pixels: Pixels,
        truth: IntArray,
        held_out: Pixels,
        held_out_truth: IntArray,
        classes: int,
        augmentation: Augmentation,
        cache: Path,
        views: int = 4,
        seed: int = 0,
        mixup: float = 0.0,
        teacher: ViewRows | None = None,
    ) -> None:
        self.count, self.classes = len(truth), classes
        self.held_out_count = len(held_out_truth)
        self._prefix, self._held_out, self._teacher = prefix, held_out, teacher
        self.truth, self._held_out_truth = torch.from_numpy(truth), torch.from_numpy(held_out_truth)
        self._mixing = Mixing(mixup)
        plain = {"size": held_out.size, "precision": "float16", **prefix.card, "view": "plain"}
        self._plain = FeatureSpace(cache, plain, prefix.width)
        views = teacher.count if teacher else views
        self._views = ViewRows(prefix, pixels, held_out.size, augmentation, cache, views, seed)

    @property
    def size_bytes(self) -> int:
        """What all rows take on disk."""
        rows = self._views.count * len(self._views.pixels.samples) + len(self._held_out.samples)
        return rows * self._prefix.width * np.dtype(np.float16).itemsize

    def compute(self, batch: int = 16) -> None:
        """Computes the rows that the cache lacks, ``batch`` images at a time.

        Raises:
            StorageError: the disk lacks room; nothing was computed.
        """
        text = translate("Computing the activations of the frozen stem")
        compute_rows(self._prefix, self._jobs, batch, text)

    def draw(self, places: IntArray, epoch: int, generator: torch.Generator) -> PrefixBatch:
        """See :class:`~eyebright.training.finetune.data.protocol.TrainData`."""
        mixed = plan_mix(self._mixing, len(places), self._held_out.size, generator) if self._mixing else None
        return PrefixBatch(self, places, epoch % self._views.count, mixed)

    def held_out(
        self, batch: int, device: torch.device, rows: slice | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See :class:`~eyebright.training.finetune.data.protocol.TrainData`."""
        keys = keys_of(self._held_out.samples)
        for block in blocks(self.held_out_count, batch, rows):
            read = to_floats(self._plain.read(keys[block]), device)
            yield read, self._held_out_truth[block].to(device)

    def rows(self, view: int, places: IntArray, device: torch.device) -> Tensor:
        """(b, D) of one view of the training images at ``places``."""
        return self._views.read(view, places, device)

    def targets(self, view: int, places: IntArray, device: torch.device) -> Tensor:
        """Soft targets of one view of the training images at ``places``."""
        return targets_of(self.truth, self.classes, self._teacher, view, places, device)

    def _jobs(self) -> Iterator[Job]:
        yield Job(self._plain, self._held_out.samples, self._held_out_inputs)
        yield from self._views.jobs()

    def _held_out_inputs(self, places: IntArray) -> Tensor:
        return as_inputs(torch.from_numpy(self._held_out.rows(places)))


@dataclass(frozen=True)
class PrefixBatch:
    """An effective batch of rows."""

    data: PrefixData
    places: IntArray
    view: int
    mixed: MixPlan | None

    @property
    def size(self) -> int:
        """Images in the batch."""
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
