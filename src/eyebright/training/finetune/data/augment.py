"""Augmentation of whole batches on the device, decided once and applied to any rows.

All chance is drawn for the effective batch; :meth:`Plan.apply` is then plain arithmetic on some of its
images, so that a part gives the same numbers however the batch is cut. Nothing touches torch's global random
state, which the training thread uses for dropout while another thread prepares batches.

Crop, mirror, stretch and rotation are one affine sampling. On one core of a CPU it makes 2,160 images/s (256
to 224 px), as many as torchvision's resized crop image by image (2,100), and the same code runs on a GPU. It
does not antialias, which matters little: stored images are only 8/7 as large as inputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from eyebright.training.finetune.data import randaugment as policies
from eyebright.training.finetune.data.randaugment import FILL, Operation, Policy

AugmentName = Literal["none", "colour", "gentle", "light", "upright", "standard", "randaugment", "trivial"]

_GEOMETRY, _COLOUR, _ERASING = 7, 3, 5
#: Random numbers of an image.
COLUMNS = _GEOMETRY + _COLOUR + _ERASING + policies.COLUMNS
_GRID = 32  # that strides of networks divide
_AT_ONCE = 4  # images that stay in a processor's cache: 1.6 times as fast as 32
_GREY = (0.299, 0.587, 0.114)  # red, green and blue in brightness, as in JPEG and torchvision
_ERASED_AREA, _ERASED_RATIO = (0.02, 0.33), (0.3, 3.3)


@dataclass(frozen=True)
class Augmentation:
    """How strongly images are varied; the defaults change nothing.

    Attributes:
        area: of the crop, as a share of the image's.
        ratio: how much wider than high, within the squashed square, the crop may be.
        mirror, upside_down: whether half of the images are turned round.
        degrees: of rotation, to either side; what lies outside is mirrored in.
        brightness, contrast, saturation: factors are drawn from 1 - x to 1 + x.
        policy: further changes, as torchvision's RandAugment or TrivialAugmentWide make them.
        erasing: share of the images that lose a rectangle.
    """

    area: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (1.0, 1.0)
    mirror: bool = False
    upside_down: bool = False
    degrees: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    policy: Policy | None = None
    erasing: float = 0.0

    @property
    def moves(self) -> bool:
        """Return whether pixels are interpolated, so that images larger than the input are of use."""
        return self.area != (1.0, 1.0) or self.ratio != (1.0, 1.0) or self.degrees > 0

    def stored_size(self, size: int, least: int = 0) -> int:
        """Return the side of the images that inputs of ``size`` are made from, at least ``least``."""
        return max(round(size * 8 / 7) if self.moves else size, least)

    def input_size(self, size: int) -> int:
        """Return the side of training inputs for a model of ``size``: a multiple of 32, never larger.

        A crop is shown larger than the whole image is, so things would be larger in training than they are
        later. Inputs that are smaller by the mean side of a crop show them as large, and cost less (Touvron
        et al., 2019, "Fixing the train-test resolution discrepancy").
        """
        low, high = (share**1.5 for share in self.area)
        side = 2 / 3 * (high - low) / (self.area[1] - self.area[0]) if low < high else 1.0
        return min(max(round(size * side / _GRID), 1) * _GRID, size)


_AREA, _RATIO = (0.35, 1.0), (3 / 4, 4 / 3)
_LIGHT_AREA, _LIGHT_RATIO = (0.7, 1.0), (0.9, 1 / 0.9)
_COLOURED = Augmentation(brightness=0.2, contrast=0.2, saturation=0.2)
PRESETS: dict[AugmentName, Augmentation] = {
    "none": Augmentation(),
    "colour": _COLOURED,
    "gentle": replace(_COLOURED, area=_LIGHT_AREA, ratio=_LIGHT_RATIO),
    "light": Augmentation(_LIGHT_AREA, _LIGHT_RATIO, mirror=True),
    "upright": replace(_COLOURED, area=_AREA, ratio=_RATIO),
    "standard": replace(_COLOURED, area=_AREA, ratio=_RATIO, mirror=True),
    "randaugment": Augmentation(_AREA, _RATIO, mirror=True, policy="randaugment"),
    "trivial": Augmentation(_AREA, _RATIO, mirror=True, policy="trivial"),
}


@dataclass(frozen=True)
class AugmentPlan:
    """The augmentation drawn for each image of an effective batch.

    Attributes:
        how: the augmentation.
        size: S of the inputs.
        moves: (n, 2, 3) from places in the input to places in the image, both from -1 to 1.
        colours: (n, 3) factors of brightness, contrast and saturation.
        erased: (n, 4) left, top, right and bottom of a rectangle, in pixels; all 0 for none.
        operations: of the policy, for each image.
    """

    how: Augmentation
    size: int
    moves: Tensor
    colours: Tensor
    erased: Tensor
    operations: list[list[Operation]]

    def apply(self, places: Tensor, pixels: Tensor) -> Tensor:
        """Return inputs of some images of the batch.

        Args:
            places: (b,) which of the batch, on the CPU.
            pixels: (b, S', S', 3) uint8, on any device.

        Returns:
            (b, 3, S, S) float32 from 0 to 255 on that device.
        """
        if pixels.device.type != "cpu":
            return self._changed(places, pixels).contiguous(memory_format=torch.channels_last)
        shape = (len(places), 3, self.size, self.size)
        inputs = torch.empty(shape, memory_format=torch.channels_last)
        for begin in range(0, len(places), _AT_ONCE):
            rows = slice(begin, begin + _AT_ONCE)
            inputs[rows] = self._changed(places[rows], pixels[rows])
        return inputs

    def _changed(self, places: Tensor, pixels: Tensor) -> Tensor:
        device = pixels.device
        images = pixels.permute(0, 3, 1, 2).float()
        if self.how.moves or self.how.mirror or self.how.upside_down:
            images = self._sample(images, self.moves[places].to(device))
        if self.how.policy is not None:
            images = self._by_policy(images, places)
        if self.how.brightness or self.how.contrast or self.how.saturation:
            images = _colour(images, self.colours[places].to(device))
        if self.how.erasing:
            fill = torch.tensor(FILL, device=device).view(3, 1, 1)
            for image, (left, top, right, bottom) in zip(images, self.erased[places].tolist(), strict=True):
                image[:, top:bottom, left:right] = fill
        return images

    def _sample(self, images: Tensor, moves: Tensor) -> Tensor:
        place = (2 * torch.arange(self.size, device=images.device) + 1) / self.size - 1
        x, y = place.view(1, 1, -1), place.view(1, -1, 1)
        to_x, to_y = moves.view(-1, 2, 3, 1, 1).unbind(1)
        # No matrix product: its rounding might depend on how many images are multiplied at once.
        grid = torch.stack([m[:, 0] * x + (m[:, 1] * y + m[:, 2]) for m in (to_x, to_y)], dim=-1)
        if self.how.degrees:  # mirrored in from outside; not every device can do this while it samples
            grid = grid.add_(1).remainder_(4).sub_(2).abs_().neg_().add_(1)
        edge = 1 - 1 / images.shape[-1]
        return grid_sample(images, grid.clamp_(-edge, edge), align_corners=False)

    def _by_policy(self, images: Tensor, places: Tensor) -> Tensor:
        whole = images.round().to(torch.uint8)
        changed = [policies.apply(i, self.operations[p]) for i, p in zip(whole, places.tolist(), strict=True)]
        return torch.stack(changed).float()


def plan(how: Augmentation, size: int, chances: Tensor) -> AugmentPlan:
    """Decide what happens to each image.

    Args:
        how: the augmentation.
        size: S of the inputs.
        chances: (n, COLUMNS) random numbers, at least 0 and below 1.
    """
    geometry, colour, erasing, policy = torch.split(
        chances, [_GEOMETRY, _COLOUR, _ERASING, policies.COLUMNS], dim=1
    )
    spread = torch.tensor([how.brightness, how.contrast, how.saturation])
    return AugmentPlan(
        how,
        size,
        moves=_moves(how, geometry),
        colours=1 + spread * (2 * colour - 1),
        erased=_erased(how.erasing, size, erasing),
        operations=policies.operations(how.policy, policy) if how.policy else [],
    )


def _moves(how: Augmentation, chances: Tensor) -> Tensor:
    area, ratio, x, y, mirror, upside_down, angle = chances.double().unbind(1)
    area = how.area[0] + area * (how.area[1] - how.area[0])
    # Only ratios with which a crop of this area fits; torchvision draws until one does.
    least = torch.log(area.clamp_min(how.ratio[0]))
    most = torch.log((1 / area).clamp_max(how.ratio[1]))
    stretch = torch.exp(least + ratio * (most - least))
    width, height = (area * stretch).sqrt().clamp_max(1), (area / stretch).sqrt().clamp_max(1)
    turned_x = 1 - 2 * (mirror < 0.5).double() * how.mirror
    turned_y = 1 - 2 * (upside_down < 0.5).double() * how.upside_down
    angle = math.radians(how.degrees) * (2 * angle - 1)
    to_x = [width * angle.cos() * turned_x, -width * angle.sin() * turned_y, (2 * x - 1) * (1 - width)]
    to_y = [height * angle.sin() * turned_x, height * angle.cos() * turned_y, (2 * y - 1) * (1 - height)]
    return torch.stack([torch.stack(to_x, 1), torch.stack(to_y, 1)], dim=1).float()


def _erased(share: float, size: int, chances: Tensor) -> Tensor:
    whether, area, ratio, x, y = chances.unbind(1)
    area = _ERASED_AREA[0] + area * (_ERASED_AREA[1] - _ERASED_AREA[0])
    low, high = map(math.log, _ERASED_RATIO)
    stretch = torch.exp(low + ratio * (high - low))
    width = (size * (area * stretch).sqrt()).round().clamp_max(size)
    height = (size * (area / stretch).sqrt()).round().clamp_max(size)
    left, top = (x * (size - width + 1)).floor(), (y * (size - height + 1)).floor()
    boxes = torch.stack([left, top, left + width, top + height], dim=1)
    return torch.where(whether[:, None] < share, boxes, 0).int()


def _colour(images: Tensor, factors: Tensor) -> Tensor:
    """Change brightness, contrast and saturation in one, in place: torchvision's blends, clipped once."""
    brightness, contrast, saturation = factors.view(-1, 3, 1, 1, 1).unbind(1)
    grey = (_GREY[0] * images[:, 0] + _GREY[1] * images[:, 1] + _GREY[2] * images[:, 2]).unsqueeze(1)
    # Whole numbers add up to the same sum in any order, so in batches of any size.
    mean = grey.round().int().sum((2, 3), keepdim=True) / grey[0].numel()
    both = brightness * contrast
    rest = grey.mul_(both * (1 - saturation)).add_(mean * (brightness * (1 - contrast)))
    return images.mul_(both * saturation).add_(rest).clamp_(0, 255)
