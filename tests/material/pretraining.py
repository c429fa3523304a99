"""What the tests of pretraining share: a tiny net, views of photographs, and one whole pretraining."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from eyebright.backbones import catalog
from eyebright.data.folder import scan_ood
from eyebright.training.finetune.data.augment import PRESETS
from eyebright.training.finetune.data.pixels import open_pixels
from eyebright.training.pretrain.encoder import Encoder, Pretrainer, Projector, learning_taps
from eyebright.training.pretrain.loop import Pretrained, pretrain_network
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.training.pretrain.training import PretrainRecord
from eyebright.training.pretrain.views_data import PixelViewsData

SIDE = 64


def pixel_views(folder: Path, every: int = 1, views: int = 2) -> PixelViewsData:
    """Every nth image under a folder, at 64 px."""
    samples = scan_ood(folder).samples[::every]
    how = PRESETS["gentle"]
    plain, _ = open_pixels(folder, samples, SIDE, "bicubic", None)
    larger, _ = open_pixels(folder, plain.samples, how.stored_size(SIDE), "bicubic", None)
    return PixelViewsData(_Kept(larger), _Kept(plain), how, views)


class _Kept:
    """Pixels in memory, so that no step decodes."""

    def __init__(self, pixels: Any) -> None:
        import numpy as np

        self.samples, self.size = pixels.samples, pixels.size
        self._rows = pixels.rows(np.arange(len(pixels.samples)))

    def rows(self, places: Any) -> Any:
        return self._rows[places]


def tiny(recipe: PretrainRecipe, name: str = "test_resnet") -> tuple[Pretrainer, dict[str, int]]:
    """A tiny net all of whose blocks learn, with random weights that are always the same."""
    torch.manual_seed(3)
    network = catalog.load(f"timm:{name}", "none", SIDE)
    encoder = Encoder(network, learning_taps(network, 0))
    return Pretrainer(encoder, Projector(encoder.width, recipe.projected)), network.depths


def pretrained(
    out: Path, recipe: PretrainRecipe, data: PixelViewsData, *, resume: bool = False
) -> tuple[Pretrainer, Pretrained]:
    """One whole pretraining of the tiny net."""
    net, depths = tiny(recipe)
    record = PretrainRecord(directory=out, fingerprint={"images": data.count}, resume=resume)
    return net, pretrain_network(net, data, recipe, depths, record)
