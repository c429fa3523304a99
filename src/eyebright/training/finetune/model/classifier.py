"""A network with taps and a head: the torch twin of what is sealed.

Its features are those of the frozen path, so that training can start from the head that was solved on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.backbones.torch.network import Network
from eyebright.training.finetune.model.feature_network import FeatureNetwork
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray

_SMALLEST_DEVIATION = 0.3  # of the median feature, as for the solved head


class Classifier(FeatureNetwork):
    """Pixels (b, 3, S, S) between 0 and 255, or rows of a frozen stem → logits (b, K).

    While training, (b, K + F) where F numbers of a teacher are predicted.

    Args:
        network: whose body is trained.
        taps: the features.
        start: (N, D) some features as they are now, whose mean and deviation keep the head's input in scale.
        classes: K.
        head: what to start from; None for zeros.
        dropout: of the features.
        distilled: F, how many numbers of a teacher's features are predicted while training, behind the
            logits; the linear map that does it is no part of what is sealed.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        network: Network,
        taps: Sequence[FeatureLayer],
        start: FloatArray,
        classes: int,
        head: LinearHead | None,
        dropout: float,
        distilled: int = 0,
    ) -> None:
        super().__init__(network, taps)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(start.shape[1], classes)
        self.distill = nn.Linear(start.shape[1], distilled) if distilled else None
        mean, scale = standardisation(start)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", scale)
        self._begin(head)

    def _begin(self, head: LinearHead | None) -> None:
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.zero_()
            if self.distill is not None:
                self.distill.weight.zero_()
                self.distill.bias.zero_()
            if head is not None:
                weights = torch.from_numpy(head.weights)
                self.head.weight.copy_((weights * self.deviation[:, None]).T)
                self.head.bias.copy_(torch.from_numpy(head.bias) + self.mean @ weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        scaled = self.dropout((self.read(inputs) - self.mean) / self.deviation)
        logits: Tensor = self.head(scaled)
        if self.distill is None or not self.training:
            return logits
        return torch.cat([logits, self.distill(scaled)], dim=1)

    def linear_head(self) -> LinearHead:
        """Return the head on raw features, as the sealed model has it."""
        with torch.no_grad():
            weights = (self.head.weight / self.deviation).cpu().double().T  # MPS has no float64
            bias = self.head.bias.cpu().double() - self.mean.cpu().double() @ weights
        return LinearHead(weights.float().numpy().copy(), bias.float().numpy().copy())


def standardisation(start: FloatArray) -> tuple[Tensor, Tensor]:
    """Return the mean (D,) of features (N, D) and what to divide them by (D,), so that rows have norm 1.

    An optimiser's step then moves what is linear in them alike, however many features there are.
    """
    mean = start.mean(axis=0, dtype=np.float64)
    deviation = start.std(axis=0, dtype=np.float64)
    moving = deviation[deviation > 0]
    least = _SMALLEST_DEVIATION * float(np.median(moving)) if len(moving) else 1.0
    scale = np.maximum(deviation, least) * np.sqrt(len(deviation))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(scale, dtype=torch.float32)
