"""What is pretrained: a backbone whose upper blocks learn, and the projector that the loss looks through.

The projector is not kept. It takes the features that a head would later stand on, as far as they come from
blocks that learn; what lies below would solve the task without anything being learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eyebright.backbones.feature_layers import FeatureLayer, feature_layer_sets
from eyebright.backbones.torch.network import Network
from eyebright.training.finetune.model.classifier import standardisation
from eyebright.training.finetune.model.feature_network import FeatureNetwork
from eyebright.types import FloatArray

BODY = "encoder.body."
_HIDDEN = 512


class Encoder(FeatureNetwork):
    """Pixels (b, 3, S, S) between 0 and 255, or rows of a frozen stem → standardised features (b, D).

    Args:
        network: whose body is trained.
        taps: the features.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: Network, taps: Sequence[FeatureLayer]) -> None:
        super().__init__(network, taps)
        width = sum(tap.width for tap in taps)
        self.width = width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        scaled: Tensor = (self.read(inputs) - self.mean) / self.deviation
        return scaled

    def standardise(self, features: FloatArray) -> None:
        """Set the scale by features (N, D) as they are before training, which have none yet."""
        mean, scale = standardisation(features)
        self.mean.copy_(mean)
        self.deviation.copy_(scale)


class Projector(nn.Module):
    """Features (m, D) of all views of a batch → projections (m, d).

    It sees whole batches only, however many processes and micro-batches made them. So batch normalisation
    cannot give away which rows came together.

    Args:
        width: D.
        projected: d.
    """

    def __init__(self, width: int, projected: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, _HIDDEN),
            nn.BatchNorm1d(_HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, projected, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        projections: Tensor = self.layers(features)
        return projections


class Pretrainer(nn.Module):
    """Encoder and projector together, as they are trained and kept in checkpoints."""

    def __init__(self, encoder: Encoder, projector: Projector) -> None:
        super().__init__()
        self.encoder, self.projector = encoder, projector

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the projections (b, d) of inputs."""
        projections: Tensor = self.projector(self.encoder(inputs))
        return projections

    def learn_modes(self) -> None:
        """Let the projector's norms learn; those of the backbone keep their statistics, and nothing drops."""
        self.encoder.eval()
        self.projector.train()


def learning_taps(network: Network, frozen: int) -> tuple[FeatureLayer, ...]:
    """Return the features that change while the blocks from number ``frozen`` on learn."""
    below = [f"{name}." for name in network.blocks[:frozen]]
    return tuple(
        tap
        for tap in feature_layer_sets(network.card)["stages"]
        if not f"{tap.layer.name}.".startswith(tuple(below))
    )
