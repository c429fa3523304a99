"""How strongly training images may be varied: as much as leaves them what the network knows them by.

A mirrored cat is a cat. A mirrored weave is another weave: a head that named 98 % of textile images right
predicted 30 % of their mirror images. So the network that training starts from is run on holdout images,
varied in one way after another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from eyebright.task.task import task_of
from eyebright.training.finetune.data.augment import COLUMNS, PRESETS, AugmentName, plan
from eyebright.training.finetune.data.pixels import Pixels
from eyebright.types import IntArray

#: From the strongest down.
LADDER: tuple[AugmentName, ...] = ("standard", "upright", "gentle", "colour", "none")
_KEPT = 0.6  # of what the network knows beyond chance
_KNOWS_NOTHING = 0.1  # beyond chance: then nothing can be lost
_BATCH = 16


@dataclass(frozen=True)
class AugmentTrial:
    """The accuracy on holdout images under one augmentation."""

    name: AugmentName
    accuracy: float


def choose_augmentation(
    accuracy: Callable[[AugmentName], float], chance: float
) -> tuple[AugmentName, list[AugmentTrial]]:
    """Return the strongest augmentation under which the network keeps most of its accuracy.

    Args:
        accuracy: of the network under an augmentation.
        chance: accuracy of somebody who knows nothing.

    Returns:
        Its name, and the candidates, images as they are first.
    """
    trials = [AugmentTrial("none", accuracy("none"))]
    known = trials[0].accuracy - chance
    if known < _KNOWS_NOTHING:
        return LADDER[0], trials
    for name in LADDER[:-1]:
        trials.append(AugmentTrial(name, accuracy(name)))
        if trials[-1].accuracy - chance >= _KEPT * known:
            return name, trials
    return LADDER[-1], trials


@torch.no_grad()
def accuracy_under(
    name: AugmentName, net: nn.Module, pixels: Pixels, truth: IntArray, size: int, seed: int
) -> float:
    """Return the accuracy on augmented images, over images or over all labels of multi-label ones.

    Args:
        name: of the augmentation.
        net: inputs (b, 3, S, S) from 0 to 255 → logits (b, K).
        pixels: the images, of a size that the augmentation wants.
        truth: (N,) their class numbers, or (N, K) their labels.
        size: S.
        seed: of the chance.
    """
    net.eval()
    device = next(net.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    drawn = plan(PRESETS[name], size, torch.rand(len(truth), COLUMNS, generator=generator))
    task, right = task_of(truth), 0.0
    for places in np.split(np.arange(len(truth)), range(_BATCH, len(truth), _BATCH)):
        images = torch.from_numpy(pixels.rows(places)).to(device)
        logits = net(drawn.apply(torch.from_numpy(places), images)).cpu().numpy()
        predicted = task.predicted(task.probabilities(logits))
        right += float((predicted == truth[places]).mean()) * len(places)
    return right / len(truth)
