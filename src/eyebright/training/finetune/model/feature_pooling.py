"""The features of a network: maps of some of its layers, pooled on the way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.backbones.torch.blocks import as_map, map_shape

#: Name of the pooled features that the network itself gives.
FINAL = "final"


class FeaturePooling:
    """Pooled maps of the blocks that run while a module is called, in the order of ``taps``."""

    def __init__(self, body: nn.Module, taps: Sequence[FeatureLayer]) -> None:
        self.body = body
        self.taps = taps

    def ordered(self, found: dict[FeatureLayer, Tensor], output: Tensor) -> list[Tensor]:
        """Return all taps' features, each (b, d), from those found on the way and the output."""
        return [output if tap.layer.name == FINAL else found[tap] for tap in self.taps]

    def during(self, part: nn.Module, inputs: Tensor) -> tuple[dict[FeatureLayer, Tensor], Tensor]:
        """Return the features of the taps inside ``part``, a piece of the body, and its output."""
        found: dict[FeatureLayer, Tensor] = {}

        def hook(tap: FeatureLayer) -> torch.utils.hooks.RemovableHandle:
            def pool(_module: nn.Module, _inputs: object, output: Tensor) -> None:
                found[tap] = _pool(self.body, output, tap)

            return self.body.get_submodule(tap.layer.name).register_forward_hook(pool)

        handles = [hook(tap) for tap in self.taps if tap.layer.name != FINAL]
        try:
            output = part(inputs)
        finally:
            for handle in handles:
                handle.remove()
        return found, output


def _pool(body: nn.Module, output: Tensor, tap: FeatureLayer) -> Tensor:
    shape = map_shape(body, output)
    if shape is None:
        raise TypeError(f"{tap.layer.name} gives no map")
    maps = as_map(output, shape)
    mean = maps.mean((2, 3), keepdim=True)
    if tap.kind == "mean":
        return mean.flatten(1)
    # The smallest number keeps the root's slope finite where a map is constant.
    deviation = ((maps - mean).square().mean((2, 3)) + 1e-12).sqrt()
    return torch.cat([mean.flatten(1), maps.amax((2, 3)), deviation], dim=1)
