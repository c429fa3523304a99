"""A sealed model as a torch.nn.Module, to go on with in code of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from eyebright.backbones.card import Preprocessing
from eyebright.data.decode import decode, to_square
from eyebright.errors import ModelError
from eyebright.onnx_torch.module import to_module
from eyebright.sealed.graph import LOGITS
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import FEATURES, RESIZED, subgraph_from
from eyebright.types import ImageLike


class TrainedModule(nn.Module):
    """The network of a sealed model behind its resize: float32 RGB (B, 3, S, S), 0 to 255 → logits (B, K).

    It normalises by itself. The softmax of the logits (the sigmoid of a multi-label model) are the calibrated
    probabilities of the sealed file. Its weights can be trained further; the sealed file does not change.

    Attributes:
        labels: the K classes.
        preprocessing: size S and interpolation of the resize, which :meth:`inputs` does.
    """

    def __init__(self, model: SealedModel) -> None:
        super().__init__()
        if model.has_anomaly_map:
            raise ModelError(
                "A module has logits of classes. {path} learned from good images alone and has none. Use "
                "eyebright export.",
                path=model.path,
            )
        self.labels: tuple[str, ...] = model.labels
        self.preprocessing: Preprocessing = model.card.preprocessing
        self._white_level = model.white_level
        graph = subgraph_from(model.graph(), RESIZED, model.size, (LOGITS, FEATURES), name="images")
        self.network = to_module(graph)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)[0]
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return the features (B, D) that the head is on."""
        found: Tensor = self.network(images)[1]
        return found

    def inputs(self, images: Sequence[ImageLike]) -> Tensor:
        """Return images as the module takes them, (B, 3, S, S), decoded and resized as the sealed model does.

        Raises:
            ImageError: one cannot be read.
        """
        seen = self.preprocessing
        rows = [
            to_square(
                decode(image, min_side=seen.size, white_level=self._white_level),
                seen.size,
                interpolation=seen.interpolation,
            )
            for image in images
        ]
        return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float()
