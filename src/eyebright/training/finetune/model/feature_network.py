"""A network with taps: its pooled features from pixels, or from activations of its frozen stem.

Features are those of the frozen path (pooled maps of several blocks). Cut at a block, the frozen stem below
gives one row of activations an image, which is computed once, and the part above is trained on these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.backbones.torch.network import Network
from eyebright.backbones.torch.split import split
from eyebright.errors import ModelError
from eyebright.training.finetune.model.feature_pooling import FINAL, FeaturePooling


class FeatureNetwork(nn.Module):
    """Pixels (b, 3, S, S) between 0 and 255, or rows of a frozen stem → features (b, D).

    Args:
        network: whose body it shares.
        taps: the features.
    """

    pixel_mean: Tensor
    pixel_scale: Tensor

    def __init__(self, network: Network, taps: Sequence[FeatureLayer]) -> None:
        super().__init__()
        self.body = network.body
        self.pooled = FeaturePooling(network.body, taps)
        self.trunk = _trunk(network, taps)
        self.stem: FrozenStem | None = None
        pixels = network.card.preprocessing
        mean_pixel = 255 * torch.tensor(pixels.mean).view(1, 3, 1, 1)
        per_level = 1 / (255 * torch.tensor(pixels.std).view(1, 3, 1, 1))
        self.register_buffer("pixel_mean", mean_pixel, persistent=False)
        self.register_buffer("pixel_scale", per_level, persistent=False)

    def read(self, inputs: Tensor) -> Tensor:
        """Return features (b, D) of pixels, or of rows while those of a stem are read."""
        return self.stem.rest(inputs) if self.stem else self.features(inputs)

    def features(self, pixels: Tensor) -> Tensor:
        """Return (b, D) of pixels (b, 3, S, S)."""
        found, output = self.pooled.during(self.trunk, self.normalised(pixels))
        return torch.cat(self.pooled.ordered(found, output), dim=1)

    @torch.no_grad()
    def takes(self, size: int) -> bool:
        """Return whether inputs of ``size`` pixels give right features; a cut trunk may take one only."""
        if self.trunk is self.body:
            return True
        self.eval()
        image = 255 * torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        image = image.to(self.pixel_mean.device)
        found, output = self.pooled.during(self.body, self.normalised(image))
        expected = torch.cat(self.pooled.ordered(found, output), dim=1)
        try:
            features = self.features(image)
        except (RuntimeError, ValueError):
            return False
        return torch.allclose(features, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))

    def normalised(self, pixels: Tensor) -> Tensor:
        """Return normalised pixels, as the body takes them."""
        scaled: Tensor = (pixels - self.pixel_mean) * self.pixel_scale
        return scaled.contiguous(memory_format=torch.channels_last)

    def checkpointable(self, blocks: Sequence[str]) -> list[nn.Module]:
        """Return the blocks, or the largest parts of one, that no feature is taken inside of."""
        taps = [tap.layer.name for tap in self.pooled.taps]
        return [
            part for block in blocks for part in _without_taps(self.body.get_submodule(block), block, taps)
        ]

    def frozen_stem(self, network: Network, block: str, size: int) -> FrozenStem:
        """Return the part up to ``block``, cut off.

        Raises:
            ModelError: the network cannot be cut there.
        """
        below, above = split(self.trunk, network.blocks, block, size)
        return FrozenStem(self, below, above, size)

    @contextmanager
    def reading(self, stem: FrozenStem | None) -> Iterator[None]:
        """Take activations of ``stem`` as inputs within the block; pixels where it is None."""
        before, self.stem = self.stem, stem
        try:
            yield
        finally:
            self.stem = before


def used_blocks(network: Network, taps: Sequence[FeatureLayer]) -> tuple[str, ...]:
    """Return the blocks that the taps need: all of them where the last features are among these."""
    names = [tap.layer.name for tap in taps]
    if FINAL in names:
        return network.blocks
    used = [any(_inside(name, block) for name in names) for block in network.blocks]
    return network.blocks[: len(used) - used[::-1].index(True)]


def _inside(name: str, block: str) -> bool:
    return name == block or name.startswith(f"{block}.")


def _without_taps(module: nn.Module, name: str, taps: Sequence[str]) -> Iterator[nn.Module]:
    if any(tap.startswith(f"{name}.") for tap in taps):
        for child, part in module.named_children():
            yield from _without_taps(part, f"{name}.{child}", taps)
    elif next(module.children(), None) is not None:  # a single layer keeps hardly more than its input
        yield module


def _trunk(network: Network, taps: Sequence[FeatureLayer]) -> nn.Module:
    """Return the body as far as it is used; all of it where it cannot be cut, at some cost."""
    used = used_blocks(network, taps)
    if len(used) == len(network.blocks):
        return network.body
    try:
        below, _ = split(network.body, network.blocks, used[-1], network.card.preprocessing.size)
    except ModelError:
        return network.body
    return below


@dataclass
class FrozenStem:
    """The frozen stem: pixels → one row of numbers an image, and the way from rows to features.

    A row holds the activations at the cut, and the pooled features that lie below it.
    """

    network: FeatureNetwork
    below: nn.Module
    above: nn.Module
    size: int

    def __post_init__(self) -> None:
        with torch.no_grad():
            device = self.network.pixel_mean.device
            found, output = self._run(torch.zeros(1, 3, self.size, self.size, device=device))
        self.shape = tuple(output.shape[1:])
        self.taps = [tap for tap in self.network.pooled.taps if tap in found]
        self.width = output[0].numel() + sum(found[tap].shape[1] for tap in self.taps)

    def rows(self, pixels: Tensor) -> Tensor:
        """Return rows (b, width) of pixels (b, 3, S, S) between 0 and 255."""
        found, output = self._run(pixels)
        return torch.cat([output.flatten(1), *(found[tap] for tap in self.taps)], dim=1)

    def rest(self, rows: Tensor) -> Tensor:
        """Return features (b, D) of rows."""
        length = int(np.prod(self.shape))
        activations = torch.unflatten(rows[:, :length], 1, self.shape)
        if activations.ndim == 4:
            activations = activations.contiguous(memory_format=torch.channels_last)
        pooled = self.network.pooled
        found, output = pooled.during(self.above, activations)
        widths = [tap.width for tap in self.taps]
        found |= dict(zip(self.taps, torch.split(rows[:, length:], widths, dim=1), strict=True))
        return torch.cat(pooled.ordered(found, output), dim=1)

    def _run(self, pixels: Tensor) -> tuple[dict[FeatureLayer, Tensor], Tensor]:
        return self.network.pooled.during(self.below, self.network.normalised(pixels))
