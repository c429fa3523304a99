"""RandAugment and TrivialAugmentWide as torchvision has them, with all chance drawn beforehand.

torchvision's own classes draw from torch's global random state, and only while they run. That state belongs
to the training thread, and a part of a batch must come out alike however the batch is cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

Policy = Literal["randaugment", "trivial"]
#: What is done to an image: a name of ``_LARGEST`` and how strongly.
Operation = tuple[str, float]

#: Random numbers of an image: three for each operation.
COLUMNS = 6
#: Mean of ImageNet's photographs: the colour of what an operation leaves empty.
FILL = (124.0, 116.0, 104.0)

_SIGNED = frozenset(
    {"shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "colour", "contrast"}
    | {"sharpness"}
)
# The strongest that RandAugment and TrivialAugmentWide do. Translations are shares of the side.
_LARGEST: dict[str, tuple[float, float]] = {
    "identity": (0, 0),
    "shear_x": (0.3, 0.99),
    "shear_y": (0.3, 0.99),
    "translate_x": (150 / 331, 1 / 7),
    "translate_y": (150 / 331, 1 / 7),
    "rotate": (30, 135),
    "brightness": (0.9, 0.99),
    "colour": (0.9, 0.99),
    "contrast": (0.9, 0.99),
    "sharpness": (0.9, 0.99),
    "posterize": (4, 6),
    "solarize": (1, 1),
    "autocontrast": (0, 0),
    "equalize": (0, 0),
}
_NAMES = tuple(_LARGEST)
_STRENGTHS = 31
_RAND_STRENGTH, _RAND_OPERATIONS = 9, 2


def operations(policy: Policy, chances: Tensor) -> list[list[Operation]]:
    """Return the operations on each image, from its random numbers (n, COLUMNS) between 0 and 1."""
    return [_drawn(policy, row) for row in chances.tolist()]


def apply(image: Tensor, todo: Sequence[Operation]) -> Tensor:
    """Return the image (3, S, S) uint8 after the operations."""
    for name, strength in todo:
        image = _one(image, name, strength)
    return image


def _drawn(policy: Policy, row: Sequence[float]) -> list[Operation]:
    if policy == "trivial":
        return [_operation(row[0], row[1], row[2], column=1)]
    fixed = _RAND_STRENGTH / _STRENGTHS
    return [
        _operation(row[3 * number], fixed, row[3 * number + 2], column=0)
        for number in range(_RAND_OPERATIONS)
    ]


def _operation(which: float, strong: float, sign: float, column: int) -> Operation:
    name = _NAMES[int(which * len(_NAMES))]
    strength = _LARGEST[name][column] * int(strong * _STRENGTHS) / (_STRENGTHS - 1)
    return name, -strength if name in _SIGNED and sign <= 0.5 else strength


def _one(image: Tensor, name: str, strength: float) -> Tensor:
    side = image.shape[-1]
    match name:
        case "shear_x" | "shear_y":
            angle = math.degrees(math.atan(strength))
            shear = [angle, 0.0] if name == "shear_x" else [0.0, angle]
            return _affine(image, shear=shear, center=[0.0, 0.0])
        case "translate_x" | "translate_y":
            pixels = math.trunc(round(strength * side, 3))
            return _affine(image, translate=[pixels, 0] if name == "translate_x" else [0, pixels])
        case "rotate":
            return _tensor(functional.rotate(image, strength, fill=list(FILL)))
        case "brightness":
            return _tensor(functional.adjust_brightness(image, 1 + strength))
        case "colour":
            return _tensor(functional.adjust_saturation(image, 1 + strength))
        case "contrast":
            return _tensor(functional.adjust_contrast(image, 1 + strength))
        case "sharpness":
            return _tensor(functional.adjust_sharpness(image, 1 + strength))
        case "posterize":
            return _tensor(functional.posterize(image, 8 - round(strength)))
        case "solarize":
            return _tensor(functional.solarize(image, 255 * (1 - strength)))
        case "autocontrast":
            return _tensor(functional.autocontrast(image))
        case "equalize":
            return _tensor(functional.equalize(image))
    return image


def _affine(
    image: Tensor,
    translate: Sequence[int] = (0, 0),
    shear: Sequence[float] = (0.0, 0.0),
    center: list[float] | None = None,
) -> Tensor:
    moved = functional.affine(image, 0.0, list(translate), 1.0, list(shear), fill=list(FILL), center=center)
    return _tensor(moved)


def _tensor(image: torch.Tensor) -> Tensor:
    return image
