"""The frozen stem of a cut network, run by one of the fast engines instead of PyTorch."""

from __future__ import annotations

import copy
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from eyebright.backbones.graph import pixels_graph
from eyebright.backbones.torch.exported import kept_export, to_onnx
from eyebright.backbones.torch.network import Network
from eyebright.engines.base import Engine
from eyebright.engines.choose import make
from eyebright.training.cache.store import exports_folder
from eyebright.training.finetune.data.activation_cache import ActivationSource
from eyebright.training.finetune.model.feature_network import FrozenStem
from eyebright.types import JsonObject

_OUTPUT = "rows"


class _Rows(nn.Module):
    """Pixels to rows, as a module to export."""

    def __init__(self, stem: FrozenStem) -> None:
        super().__init__()
        self.stem = stem
        self.below = stem.below

    def forward(self, pixels: Tensor) -> Tensor:
        return self.stem.rows(pixels)


def frozen_graph(stem: FrozenStem, key: str, folder: Path | None) -> bytes:
    """Return the stem as a graph for the engines: `images` uint8 (B, S, S, 3) in, `rows` (B, D) out.

    Args:
        stem: of a network that is not trained below its end.
        key: says which stem it is: the weights' hash, the end, and the layers that are pooled.
        folder: where exported networks are kept; None keeps none.

    Raises:
        ModelError: it cannot be exported.
    """
    side = stem.size

    def export() -> onnx.ModelProto:
        module = _Rows(copy.deepcopy(stem)).cpu().eval()
        return to_onnx(module, torch.zeros(2, 3, side, side), "pixels", [_OUTPUT])

    network = kept_export(folder, f"stem {key} {side}", export)
    graph: bytes = pixels_graph(network, side, _OUTPUT, stem.width).SerializeToString()
    return graph


def run_engine(engine: Engine, pixels: Tensor) -> Tensor:
    """Return activations (b, D) of pixels (b, 3, S, S) from 0 to 255, rounded to the engines' uint8."""
    images = pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return torch.stack([torch.from_numpy(engine.run(image)) for image in images])


def stem_key(stem: FrozenStem, network: Network, end: str) -> str:
    """Return what says which stem it is, up to the block ``end``."""
    return " ".join((network.card.sha, end, *_taps(stem)))


def stem_source(stem: FrozenStem, network: Network, end: str, engine_name: str) -> ActivationSource:
    """Return what runs the stem, up to the block ``end``, with one of the engines."""
    taps = _taps(stem)
    engine = make(engine_name, frozen_graph(stem, stem_key(stem, network, end), exports_folder()))
    card: JsonObject = {
        "backbone": network.card.name,
        "backbone_sha": network.card.sha,
        "cut": end,
        "taps": taps,
        "engine": engine.name,
    }
    return ActivationSource(lambda pixels: run_engine(engine, pixels), stem.width, card, threads=True)


def _taps(stem: FrozenStem) -> list[str]:
    return [f"{tap.layer.name}:{tap.kind}" for tap in stem.taps]
