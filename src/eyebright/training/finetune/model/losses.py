"""Losses of each image against soft targets, which MixUp, CutMix and a teacher make."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, kl_div, log_softmax


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
        """Return the loss of each image."""
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


class LabelsLoss:
    """Logits and soft targets (b, K), each label a question of its own → the loss of each image (b,).

    It is the mean cross-entropy of the labels.

    Args:
        smoothing: share of every target that is moved to one half.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self._smoothing = smoothing

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each image."""
        smooth = targets * (1 - self._smoothing) + self._smoothing / 2
        return binary_cross_entropy_with_logits(logits, smooth, reduction="none").mean(1)


class WeightedLoss:
    """A loss of each image times its weight, which is the last column of the targets (b, K + 1).

    Args:
        loss: of each image, against the other columns.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._loss = loss

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each image."""
        return self._loss(outputs, targets[:, :-1]) * targets[:, -1]


class TeacherLoss:
    """The loss of each image where a teacher is learned from as well (Hinton et al., 2015).

    Outputs (b, K) or (b, K + F) hold logits and, behind them, predictions of the teacher's features. Targets
    (b, 2 K) or (b, 2 K + F) hold soft labels, the teacher's log-probabilities, and its features.

    Args:
        labels: the loss against soft labels, which keeps 1 - ``share`` of its weight.
        classes: K.
        share: of the divergence from the teacher's softened probabilities.
        temperature: by which both are softened; the divergence is multiplied by its square, as its slopes
            shrink by that.
        features: weight of the mean square error of these predictions.
    """

    def __init__(
        self, labels: SoftTargetLoss, classes: int, share: float, temperature: float, features: float
    ) -> None:
        self._labels, self._classes = labels, classes
        self._share, self._temperature, self._features = share, temperature, features

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each image."""
        k, t = self._classes, self._temperature
        logits, predicted = outputs[:, :k], outputs[:, k:]
        labels, taught, features = targets[:, :k], targets[:, k : 2 * k], targets[:, 2 * k :]
        own, teachers = log_softmax(logits / t, dim=1), log_softmax(taught / t, dim=1)
        soft = kl_div(own, teachers, reduction="none", log_target=True).sum(1) * t**2
        loss = (1 - self._share) * self._labels(logits, labels) + self._share * soft
        if predicted.shape[1]:  # none in evaluation mode
            loss = loss + self._features * (predicted - features).square().mean(1)
        return loss
