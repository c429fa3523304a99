"""All chance is drawn anew from (seed, epoch, position), so nothing random has to be remembered.

Therefore a resumed run, a batch cut into micro-batches and several processes see the same samples, in the
same order, with the same augmentation.
"""

from __future__ import annotations

import numpy as np
import torch

from eyebright.types import FloatArray, IntArray

_ORDER, _DRAW, _DROPOUT = range(3)


def epoch_order(count: int, seed: int, epoch: int, weights: FloatArray | None = None) -> IntArray:
    """Return the places of the images (N,) in the order of this epoch.

    Args:
        count: N, number of images.
        seed: of the training.
        epoch: from 0.
        weights: (N,) how often each is wanted; None takes each exactly once.
    """
    chance = np.random.default_rng([seed, epoch, _ORDER])
    if weights is None:
        return chance.permutation(count).astype(np.int64)
    shares = weights.astype(np.float64)
    return chance.choice(count, size=count, p=shares / shares.sum()).astype(np.int64)


def draw_generator(seed: int, epoch: int, position: int) -> torch.Generator:
    """Return the generator for the augmentation of the batch at ``position`` of the epoch."""
    return torch.Generator().manual_seed(_number(_DRAW, seed, epoch, position))


def seed_dropout(seed: int, epoch: int, position: int, row: int) -> None:
    """Seed what the network itself draws for the micro-batch that begins at ``row``."""
    torch.manual_seed(_number(_DROPOUT, seed, epoch, position, row))


def _number(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def seed_weights(seed: int) -> None:
    """Seed the weights drawn next: the same in every process and in every part of a resumed run."""
    torch.manual_seed(seed)
