"""Training data as pixels: augmented batches of the training split, and the holdout images as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eyebright.task.task import task_of
from eyebright.training.finetune.data.activation_cache import CachedViews
from eyebright.training.finetune.data.augment import COLUMNS, Augmentation, AugmentPlan, plan
from eyebright.training.finetune.data.mixup import Mixing, MixPlan, before, plan_mix
from eyebright.training.finetune.data.pixels import Pixels
from eyebright.training.finetune.data.protocol import batch_slices
from eyebright.training.finetune.own_code import OwnTransform
from eyebright.types import FloatArray, IntArray, UInt8Array


@dataclass(frozen=True)
class LabelledPixels:
    """Decoded images with their labels.

    Attributes:
        pixels: N images.
        truth: (N,) class numbers, or (N, K) labels of 0 and 1.
        weights: (N,) of the images in training, 1 in the mean; None where all weigh alike.
    """

    pixels: Pixels
    truth: IntArray
    weights: FloatArray | None = None


class PixelData:
    """Inputs (b, 3, S', S') float32 from 0 to 255; S' is S by default.

    Args:
        train: the training images, of ``augmentation.stored_size(S', S)``.
        holdout: the holdout images, of size S.
        classes: K.
        augmentation: of the training images.
        mixing: of their pairs; none with a teacher, whose predictions are for whole images.
        teacher: predictions of another model for fixed views of the images. Epoch e then shows view
            e % ``teacher.count`` at this data's own size, and targets hold these behind the labels.
        size: S', the side of training inputs.
        transform: of the user's own, before the augmentation; None changes nothing.
    """

    def __init__(
        self,
        *,
        train: LabelledPixels,
        holdout: LabelledPixels,
        classes: int,
        augmentation: Augmentation,
        mixing: Mixing,
        teacher: CachedViews | None = None,
        size: int | None = None,
        transform: OwnTransform | None = None,
    ) -> None:
        self.count, self.classes = len(train.truth), classes
        self.holdout_count = len(holdout.truth)
        self.size = size or holdout.pixels.size
        self.pixels, self.truth, self.weights = train.pixels, train.truth, train.weights
        self._holdout, self._holdout_truth = holdout.pixels, torch.from_numpy(holdout.truth)
        self._augmentation, self._mixing, self._teacher = augmentation, mixing, teacher
        self._transform, self.ahead = transform, transform is None

    def draw(self, places: IntArray, epoch: int, generator: torch.Generator) -> PixelBatch:
        """See :class:`~eyebright.training.finetune.data.protocol.TrainData`."""
        if self._teacher is not None:
            view = epoch % self._teacher.count
            return PixelBatch(self, places, self._teacher.plan(view, places, self.size), None, view)
        chances = torch.rand(len(places), COLUMNS, generator=generator)
        mixed = plan_mix(self._mixing, len(places), self.size, generator) if self._mixing else None
        seeds = None
        if self._transform is not None:
            seeds = torch.randint(2**32, (len(places),), generator=generator).numpy()
        return PixelBatch(self, places, plan(self._augmentation, self.size, chances), mixed, seeds=seeds)

    def images(self, places: IntArray, seeds: IntArray | None) -> UInt8Array:
        """Return training images (b, S, S, 3), transformed where they have ``seeds`` (b,)."""
        images = self.pixels.rows(places)
        return images if self._transform is None or seeds is None else self._transform(images, seeds)

    def holdout(
        self, batch: int, device: torch.device, rows: slice | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See :class:`~eyebright.training.finetune.data.protocol.TrainData`."""
        for span in batch_slices(self.holdout_count, batch, rows):
            pixels = to_device(self._holdout.rows(np.arange(span.start, span.stop)), device)
            yield as_inputs(pixels), self._holdout_truth[span].to(device)

    def targets(self, view: int, places: IntArray, device: torch.device) -> Tensor:
        """Return soft targets of the training images at ``places``; ``view`` is for a teacher's."""
        found = targets_of(self.truth, self.classes, self._teacher, view, places, device)
        return weighted(found, self.weights, places)


@dataclass(frozen=True)
class PixelBatch:
    """An effective batch of which everything is decided."""

    data: PixelData
    places: IntArray
    plan: AugmentPlan
    mixed: MixPlan | None
    view: int = 0
    seeds: IntArray | None = None

    @property
    def size(self) -> int:
        """Return images in the batch."""
        return len(self.places)

    def part(self, rows: slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """See :class:`~eyebright.training.finetune.data.protocol.Drawn`."""
        if self.mixed is None:
            return self._plain(torch.arange(rows.start, rows.stop), device)
        images, targets = self._plain(before(rows, self.size), device)
        places = torch.arange(rows.start, rows.stop)
        return (
            self.mixed.pixels(places, images[1:], images[:-1]),
            self.mixed.rows(places, targets[1:], targets[:-1]),
        )

    def _plain(self, places: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        rows = places.numpy()
        wanted = self.places[rows]
        seeds = None if self.seeds is None else self.seeds[rows]
        images = self.plan.apply(places, to_device(self.data.images(wanted, seeds), device))
        return images, self.data.targets(self.view, wanted, device)


def to_device(array: UInt8Array, device: torch.device) -> Tensor:
    """Copy the array to the device; on the way to a GPU the caller's thread does not wait."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    # MPS reads memory that is not pinned after it was let go: it must have been copied by then.
    return tensor.to(device, non_blocking=device.type == "cuda")


def as_inputs(pixels: Tensor) -> Tensor:
    """Return (b, S, S, 3) uint8 → (b, 3, S, S) float32 from 0 to 255."""
    return pixels.permute(0, 3, 1, 2).float()


def targets_of(
    truth: IntArray,
    classes: int,
    teacher: CachedViews | None,
    view: int,
    places: IntArray,
    device: torch.device,
) -> Tensor:
    """Return float32 targets of training images: (b, K) from their labels, a teacher's row behind them.

    Args:
        truth: (N,) class numbers of all, or (N, K) where an image may have several labels.
        classes: K.
        teacher: rows of D numbers an image; None for labels alone.
        view: that the teacher was run on.
        places: (b,) which images.
        device: where to.
    """
    labels = torch.from_numpy(task_of(truth).targets(truth[places], classes)).to(device)
    return labels if teacher is None else torch.cat([labels, teacher.read(view, places, device)], dim=1)


def weighted(targets: Tensor, weights: FloatArray | None, places: IntArray) -> Tensor:
    """Return targets (b, K) with the images' weights as one more column, where there are weights.

    There they are mixed with the targets where images are mixed.

    Args:
        targets: of the images at ``places``.
        weights: (N,) of all; None adds no column.
        places: (b,) which images.
    """
    if weights is None:
        return targets
    return torch.cat([targets, torch.from_numpy(weights[places, None]).to(targets.device)], dim=1)
