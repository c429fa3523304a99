"""Two towers trained together on images and their captions: CLIP, SigLIP and their kin.

Embeddings of an image and of a text that belong together point in the same direction, so what embeds the
names of classes also classifies images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from eyebright.backbones.torch.exported import export_to_onnx, kept_export
from eyebright.backbones.torch.network import Network, fingerprint
from eyebright.errors import ModelError
from eyebright.runtime.onnx_session import open_session

if TYPE_CHECKING:
    from pathlib import Path

    import onnx
    from torch import Tensor

    from eyebright.backbones.prompts import Prompts
    from eyebright.types import FloatArray, UInt8Array

#: Inputs and output of an exported text tower.
IDS, MASK, EMBEDDINGS = "input_ids", "attention_mask", "embeddings"
_LARGEST_DIFFERENCE = 1e-4  # of unit vectors' coordinates, between PyTorch and the exported tower
_PROMPTS_AT_ONCE = 64


@dataclass(frozen=True)
class TextTower:
    """A text tower with its tokenizer.

    Attributes:
        module: token numbers and mask (n, L), int64, to unit vectors (n, D).
        tokenize: texts to token numbers and mask, padded and cut as the authors do.
        templates: in which the authors put a class's name.
    """

    module: nn.Module
    tokenize: Callable[[Sequence[str]], tuple[Tensor, Tensor]]
    templates: tuple[str, ...]

    def graph(self, name: str, folder: Path | None) -> onnx.ModelProto:
        """Return the tower as ONNX, from the cache in ``folder`` or exported now.

        Inputs `input_ids` and `attention_mask`, int64 (B, L); output `embeddings`, float32 (B, D).
        """
        ids, mask = self.tokenize(["a", "b"])

        def export() -> onnx.ModelProto:
            return export_to_onnx(self.module, (ids, mask), (IDS, MASK), (EMBEDDINGS,))

        key = f"text {fingerprint(self.module, name)} {tuple(ids.shape[1:])}"
        return kept_export(folder, key, export)


@dataclass(frozen=True)
class Towers:
    """An image tower and a text tower.

    Attributes:
        network: the image tower; its features are unit vectors (B, D).
        text: the text tower.
        scale: what cosines are multiplied by, to be logits.
        bias: what is added to them; 0 of CLIP.
        activation: how the authors turn a logit into a probability: softmax over the texts (CLIP), or a
            sigmoid of each by itself (SigLIP).
    """

    network: Network
    text: TextTower
    scale: float
    bias: float
    activation: Literal["softmax", "sigmoid"]

    def classifier(
        self, labels: Sequence[str], prompts: Prompts, folder: Path | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return weights (D, K) and bias (K,) that turn the image tower's features into logits of classes.

        Each class is the mean direction of its prompts (Radford et al., 2021, section 3.1.4). They are
        embedded by the exported tower, which is compared with PyTorch's on the way.

        Args:
            labels: the K classes.
            prompts: how they are described.
            folder: of the cache of exported graphs.

        Raises:
            ModelError: the exported tower embeds otherwise than PyTorch's.
        """
        texts = [prompts.of(label, self.text.templates) for label in labels]
        rows = self._embedded([text for several in texts for text in several], folder)
        ends = np.cumsum([len(several) for several in texts])[:-1]
        means = [part.mean(axis=0) for part in np.split(rows, ends)]
        directions = np.stack([mean / max(float(np.linalg.norm(mean)), 1e-12) for mean in means])
        weights = np.ascontiguousarray(self.scale * directions.T, np.float32)
        return weights, np.full(len(labels), self.bias, np.float32)

    def features(self, images: UInt8Array) -> FloatArray:
        """Return the image tower's unit vectors (B, D) for squares (B, S, S, 3), computed by PyTorch."""
        card = self.network.card.preprocessing
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (card.mean, card.std))
        pixels = (torch.from_numpy(np.array(images)).permute(0, 3, 1, 2) / 255 - mean) / std
        with torch.no_grad():
            found: FloatArray = self.network.body(pixels).numpy()
        return found

    def _embedded(self, texts: Sequence[str], folder: Path | None) -> FloatArray:
        session = open_session(self.text.graph(self.network.card.name, folder), threads=None)
        rows: list[FloatArray] = []
        for first in range(0, len(texts), _PROMPTS_AT_ONCE):
            ids, mask = self.text.tokenize(texts[first : first + _PROMPTS_AT_ONCE])
            [found] = session.run([EMBEDDINGS], {IDS: ids.numpy(), MASK: mask.numpy()})
            with torch.no_grad():
                expected = self.text.module(ids, mask).numpy()
            difference = float(np.abs(found - expected).max())
            if not difference < _LARGEST_DIFFERENCE:
                raise ModelError(
                    "The exported text tower must embed as PyTorch does. {name} differs by {difference}. "
                    "Choose another backbone.",
                    name=self.network.card.name,
                    difference=f"{difference:.1e}",
                )
            rows.append(found)
        return np.concatenate(rows)
