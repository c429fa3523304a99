"""The views that are learned from: cached activations of the frozen stem, or pixels augmented anew."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from eyebright.text.language import translate
from eyebright.training.cache.store import FeatureSpace
from eyebright.training.finetune.data.activation_cache import (
    ActivationJob,
    CachedViews,
    cache_activations,
    keys_of,
    plain_space,
    to_floats,
)
from eyebright.training.finetune.data.augment import COLUMNS, Augmentation, plan
from eyebright.training.finetune.data.pixel_data import as_inputs, to_device
from eyebright.training.finetune.data.pixels import Pixels
from eyebright.types import IntArray


class ViewsData(Protocol):
    """Images without labels, by their places.

    Attributes:
        count: N, number of images.
        views: V, of each in a step.
    """

    count: int
    views: int

    def draw(self, places: IntArray, generator: torch.Generator) -> DrawnViews:
        """Return the views of the images at ``places``, drawn from ``generator`` alone."""

    def plain(self, places: IntArray, device: torch.device) -> Tensor:
        """Return inputs (b, ...) of the images as they are."""


class DrawnViews(Protocol):
    """The views of one batch, all chance already drawn: any part of it can be made again."""

    def part(self, rows: slice, device: torch.device) -> Tensor:
        """Return inputs (b · V, ...) of the images in these rows, the views of an image in turn."""


class CachedViewsData:
    """Rows of a frozen stem for V fixed augmented views of each image, and for the images as they are.

    Args:
        views: of the images.
        plain: the images, of the views' size.
    """

    def __init__(self, views: CachedViews, plain: Pixels) -> None:
        self.count, self.views = len(plain.samples), views.count
        self._cached, self._pixels = views, plain
        self._space: FeatureSpace = plain_space(views)

    @property
    def size_bytes(self) -> int:
        """Return what all rows take on disk."""
        return (self.views + 1) * self.count * self._space.row_bytes

    def compute(self, batch: int = 16) -> None:
        """Compute the rows that the cache lacks.

        Raises:
            StorageError: the disk lacks room; nothing was computed.
        """
        text = translate("Computing the activations of the frozen stem")

        def jobs() -> list[ActivationJob]:
            plain = ActivationJob(self._space, self._pixels.samples, self._plain_inputs)
            return [plain, *self._cached.jobs()]

        cache_activations(self._cached.source, lambda: iter(jobs()), batch, text)

    def draw(self, places: IntArray, generator: torch.Generator) -> DrawnViews:
        """See :class:`ViewsData`; nothing is left to chance."""
        return _CachedPart(self._cached, places)

    def plain(self, places: IntArray, device: torch.device) -> Tensor:
        """See :class:`ViewsData`."""
        return to_floats(self._space.read(keys_of([self._pixels.samples[p] for p in places])), device)

    def _plain_inputs(self, places: IntArray) -> Tensor:
        return as_inputs(torch.from_numpy(self._pixels.rows(places)))


class _CachedPart:
    def __init__(self, views: CachedViews, places: IntArray) -> None:
        self._views, self._places = views, places

    def part(self, rows: slice, device: torch.device) -> Tensor:
        places = self._places[rows]
        read = [self._views.read(view, places, device) for view in range(self._views.count)]
        return torch.stack(read, dim=1).flatten(0, 1)


class PixelViewsData:
    """Pixels (b · V, 3, S, S) augmented anew in every step, where the whole network learns.

    Args:
        pixels: of ``augmentation.stored_size(size)``.
        plain: the same images, of ``size``.
        augmentation: of the views.
        views: V.
    """

    def __init__(self, pixels: Pixels, plain: Pixels, augmentation: Augmentation, views: int) -> None:
        self.count, self.views = len(plain.samples), views
        self._pixels, self._plain, self._augmentation = pixels, plain, augmentation

    def draw(self, places: IntArray, generator: torch.Generator) -> DrawnViews:
        """See :class:`ViewsData`."""
        chances = torch.rand(len(places) * self.views, COLUMNS, generator=generator)
        return _PixelPart(self, places, chances)

    def plain(self, places: IntArray, device: torch.device) -> Tensor:
        """See :class:`ViewsData`."""
        return as_inputs(to_device(self._plain.rows(places), device))

    def augmented(self, places: IntArray, chances: Tensor, device: torch.device) -> Tensor:
        """Return inputs (b · V, 3, S, S); ``chances`` (b · V, COLUMNS) decide each."""
        pixels = to_device(self._pixels.rows(places), device).repeat_interleave(self.views, dim=0)
        drawn = plan(self._augmentation, self._plain.size, chances)
        return drawn.apply(torch.arange(len(chances)), pixels)


class _PixelPart:
    def __init__(self, data: PixelViewsData, places: IntArray, chances: Tensor) -> None:
        self._data, self._places, self._chances = data, places, chances

    def part(self, rows: slice, device: torch.device) -> Tensor:
        views = self._data.views
        chances = self._chances[rows.start * views : rows.stop * views]
        return self._data.augmented(self._places[rows], chances, device)
