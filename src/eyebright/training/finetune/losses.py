"""Losses of each image against soft targets, which MixUp and CutMix make."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax


class SoftTargetLoss:
    """Logits (b, K) float32 and soft targets (b, K), rows that add up to 1 → the loss of each image (b,).

    Label smoothing moves a share of every target, mixed or not, evenly to all classes, once.

    Args:
        smoothing: that share.
        weights: (K,) of the classes; None counts all alike.
        gamma: of the focal loss, which weighs each class's term by (1 - its probability) ** gamma;
            0 is cross-entropy.
    """

    def __init__(self, smoothing: float = 0.0, weights: Tensor | None = None, gamma: float = 0.0) -> None:
        self._smoothing, self._weights, self._gamma = smoothing, weights, gamma

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each image."""
        if self._weights is not None:
            self._weights = self._weights.to(logits.device)  # copied once, at the first call
        if not self._gamma:
            return cross_entropy(
                logits, targets, self._weights, reduction="none", label_smoothing=self._smoothing
            )
        return self._focal(logits, targets)

    def _focal(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_share = log_softmax(logits, dim=1)
        smooth = targets * (1 - self._smoothing) + self._smoothing / targets.shape[1]
        terms = -smooth * (1 - log_share.exp()).clamp_min(0) ** self._gamma * log_share
        return (terms if self._weights is None else terms * self._weights).sum(1)


def balanced_weights(counts: Sequence[int]) -> Tensor:
    """Weights (K,) with which every class weighs as much as any other, and an image 1 in the mean.

    Args:
        counts: images of each class, all above 0.
    """
    images = torch.tensor(counts, dtype=torch.float32)
    return images.sum() / (len(counts) * images)
