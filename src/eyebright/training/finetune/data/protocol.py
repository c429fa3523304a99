"""The interface of training data: batches that can be made again in micro-batches, and holdout images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from eyebright.types import IntArray


class Drawn(Protocol):
    """One effective batch whose augmentation is already decided, so that any part of it can be made again."""

    @property
    def size(self) -> int:
        """Return images in the batch."""

    def part(self, rows: slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return inputs (b, ...) and soft targets (b, K), both float32 and on ``device``, of these rows.

        Where images have weights, these are the targets' last column: (b, K + 1).

        Called from the thread that prefetches. The same rows are the same numbers however the batch is cut.
        """


class TrainData(Protocol):
    """Training images, by places, and holdout images in their own order.

    Attributes:
        count, classes, holdout_count: N, K, and the number of holdout images.
        ahead: whether batches may be made in another thread while the network trains; not where they draw
            from the process's random state, as dropout does.
    """

    count: int
    classes: int
    holdout_count: int
    ahead: bool

    def draw(self, places: IntArray, epoch: int, generator: torch.Generator) -> Drawn:
        """Return the images at ``places`` (0 … count - 1), their augmentation drawn from ``generator`` alone.

        ``epoch`` counts from 0. The generator is a CPU one, seeded anew for every batch.
        """

    def holdout(
        self, batch: int, device: torch.device, rows: slice | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (b, ...) float32 and class numbers (b,) int64 on ``device``, b at most ``batch``.

        Where an image may have several labels, a table (b, K) of 0 and 1 instead of numbers. ``rows`` are
        those of one process; None gives all ``holdout_count``.
        """


def batch_slices(count: int, batch: int, rows: slice | None = None) -> Iterator[slice]:
    """Yield slices of ``rows`` of ``count``, or of all, with at most ``batch`` each."""
    wanted = range(count)[rows or slice(None)]
    for begin in range(wanted.start, wanted.stop, batch):
        yield slice(begin, min(begin + batch, wanted.stop))
