"""Some images whose features are looked at after every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from eyebright.training.finetune.data.protocol import batch_slices
from eyebright.training.finetune.system.memory import OomRetry, retry_smaller
from eyebright.training.finetune.system.seeding import draw_generator
from eyebright.training.pretrain.encoder import Encoder, Pretrainer
from eyebright.training.pretrain.health import Health, measure_health
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.training.pretrain.views_data import ViewsData
from eyebright.types import FloatArray, IntArray

_IMAGES = 512
_BATCH = 32


class HealthMonitor:
    """Measures features of the same images again and again.

    Args:
        data: all images, of which a few hundred are taken.
        truth: (N,) their classes; None where they are unknown.
        recipe: gives the seed.
        device: where the network is.
    """

    def __init__(
        self, data: ViewsData, truth: IntArray | None, recipe: PretrainRecipe, device: torch.device
    ) -> None:
        order = np.random.default_rng([recipe.seed, data.count]).permutation(data.count)
        self.places = np.sort(order[:_IMAGES]).astype(np.int64)
        self.seconds = 0.0
        self._data, self._device = data, device
        self._truth = None if truth is None else truth[self.places]
        self._seed = recipe.seed

    def raw_features(self, encoder: Encoder) -> FloatArray:
        """Return features (m, D) as they come from the network, of the images as they are."""
        return self._rows(
            lambda part: encoder.read(self._data.plain(self.places[part], self._device)), encoder
        )

    def measure(self, net: Pretrainer) -> Health:
        """Return the signs of health; the same in all processes, whose networks are equal."""
        began = time.monotonic()
        net.eval()
        encoder, views = net.encoder, self._data.views
        drawn = self._data.draw(self.places, draw_generator(self._seed, 0, 0))
        plain = self._rows(lambda part: encoder(self._data.plain(self.places[part], self._device)), encoder)
        augmented = self._rows(lambda part: encoder(drawn.part(part, self._device)[::views]), encoder)
        with torch.no_grad():
            projected = net.projector(torch.from_numpy(plain).to(self._device)).float().cpu().numpy()
        self.seconds = time.monotonic() - began
        return measure_health(plain, augmented, projected, self._truth)

    def _rows(self, features: Callable[[slice], Tensor], net: nn.Module) -> FloatArray:
        retry = OomRetry(self._device)
        net.eval()

        @torch.no_grad()
        def attempt(batch: int) -> FloatArray:
            parts = [features(part).float().cpu().numpy() for part in batch_slices(len(self.places), batch)]
            return np.concatenate(parts)

        found, _ = retry_smaller(lambda batch: retry.do(lambda: attempt(batch)), _BATCH)
        return found
