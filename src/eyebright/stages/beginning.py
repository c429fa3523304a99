"""The head that fine-tuning begins with: solved on frozen features, and no surer than its loss wants it."""

from __future__ import annotations

import numpy as np
import torch

from eyebright.config.train import TrainConfig
from eyebright.stages.recipe import loss_of
from eyebright.training.frozen import FrozenModel
from eyebright.training.linear import LinearHead
from eyebright.training.moderate import moderate_head
from eyebright.training.tasks import image_losses
from eyebright.types import FloatArray, IntArray

_TEMPERATURES = np.geomspace(1, 64, 49)


def beginning_head(
    config: TrainConfig, start: FrozenModel, features: FloatArray, truth: IntArray, classes: int
) -> LinearHead:
    """The frozen way's head with more L2, over the temperature at which the training loss is lowest.

    Label smoothing wants logits a few units apart, where a solved head has fifteen. Without the temperature
    the first epochs would do nothing but bring them down, and take what the head knows with them.

    Args:
        config: has the loss and the seed.
        start: the frozen model.
        features: (N, D) of training images.
        truth: (N,) their classes, or (N, K) where they may have several labels.
        classes: K.
    """
    held_out = float(image_losses(start.fit.held_out, start.truth).mean())
    head = moderate_head(features, truth, classes, start.fit, held_out, config.seed)
    loss = loss_of(config.model_copy(update={"teacher": None}), truth, classes)
    logits = torch.from_numpy(head.logits(features))
    targets = torch.from_numpy(truth if truth.ndim == 2 else np.eye(classes)[truth]).float()
    losses = [float(loss(logits / t, targets).mean()) for t in _TEMPERATURES]
    temperature = np.float32(_TEMPERATURES[int(np.argmin(losses))])
    return LinearHead(head.weights / temperature, head.bias / temperature)
