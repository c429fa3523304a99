"""MixUp and CutMix of neighbours in a batch, decided once and applied to any rows.

As torchvision's, an image is mixed with the one before it, and the first with the last: the order of an epoch
is drawn anyway. Unlike there, every image has its own share, and where both are on, each image gets one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eyebright.types import IntArray


@dataclass(frozen=True)
class Mixing:
    """Shares are drawn from Beta(x, x); 0 switches a kind off.

    Attributes:
        mixup: both images shine through each other.
        cutmix: a rectangle of one image lies on the other.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    def __bool__(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0


@dataclass(frozen=True)
class MixPlan:
    """How each image of an effective batch is mixed.

    Attributes:
        shares: (n,) of the image's own label.
        boxes: (n, 4) left, top, right and bottom, in pixels, of what comes from the partner by CutMix.
        cut: (n,) whether by CutMix.
    """

    shares: Tensor
    boxes: Tensor
    cut: Tensor

    def pixels(self, places: Tensor, own: Tensor, partners: Tensor) -> Tensor:
        """Return (b, 3, S, S) mixed from the images at ``places`` and those before them."""
        device = own.device
        kept = self.shares[places].to(device).view(-1, 1, 1, 1)
        if self.cut.any():
            cut = self.cut[places].to(device).view(-1, 1, 1, 1)
            kept = torch.where(cut, _outside(self.boxes[places].to(device), own.shape[-1]), kept)
        return (own - partners).mul_(kept).add_(partners)

    def rows(self, places: Tensor, own: Tensor, partners: Tensor) -> Tensor:
        """Return (b, D) of anything else that belongs to them, by their labels' shares."""
        shares = self.shares[places].to(own.device).unsqueeze(1)
        return partners + (own - partners) * shares


def plan_mix(how: Mixing, count: int, size: int, generator: torch.Generator) -> MixPlan:
    """Decide how ``count`` images of ``size`` pixels a side are mixed."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    chance = np.random.default_rng(seed)
    cut = chance.random(count) < (0.5 if how.mixup and how.cutmix else float(how.cutmix > 0))
    strength = np.where(cut, how.cutmix or 1.0, how.mixup or 1.0)
    shares = chance.beta(strength, strength)
    boxes = _boxes(shares, size, chance)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    shares = np.where(cut, 1 - areas / size**2, shares)
    return MixPlan(
        torch.from_numpy(shares.astype(np.float32)), torch.from_numpy(boxes), torch.from_numpy(cut)
    )


def before(rows: slice, count: int) -> Tensor:
    """Return the places ``rows`` of a batch of ``count``, with the partner of the first in front of them."""
    places = torch.arange(rows.start - 1, rows.stop)
    return places % count


def _outside(boxes: Tensor, size: int) -> Tensor:
    """Return (b, 1, S, S): 0 in the boxes, 1 elsewhere."""
    place = torch.arange(size, device=boxes.device)
    left, top, right, bottom = boxes.view(-1, 4, 1, 1).unbind(1)
    x, y = place.view(1, 1, -1), place.view(1, -1, 1)
    return 1 - ((x >= left) & (x < right) & (y >= top) & (y < bottom)).float().unsqueeze(1)


def _boxes(shares: npt.NDArray[np.float64], size: int, chance: np.random.Generator) -> IntArray:
    """Return squares about random points, clipped at the edges, that leave about ``shares`` of the image."""
    half = (0.5 * np.sqrt(1 - shares) * size).astype(np.int64)
    x, y = chance.integers(size, size=(2, len(shares)))
    boxes: IntArray = np.stack([x - half, y - half, x + half, y + half], axis=1).clip(0, size)
    return boxes
