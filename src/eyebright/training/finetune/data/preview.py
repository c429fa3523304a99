"""A picture of what augmentation makes of a few training images."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
from PIL import Image

from eyebright.training.finetune.data.pixel_data import PixelData
from eyebright.types import IntArray, UInt8Array

_GAP, _WIDER_GAP = 4, 12
_SIDE = 128


def contact_sheet(data: PixelData, places: IntArray, variants: int = 6, seed: int = 0) -> bytes:
    """Return a PNG with a row for each image: itself, a gap, and variants as training sees them.

    Args:
        data: the training images with their augmentation and mixing.
        places: (n,) the images to show.
        variants: of each image.
        seed: of the chance.
    """
    # All images in turn, so that mixing meets different ones.
    drawn = data.draw(np.tile(places, variants), 0, torch.Generator().manual_seed(seed))
    images, _ = drawn.part(slice(0, drawn.size), torch.device("cpu"))
    pixels = images.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    made = pixels.reshape(variants, len(places), *pixels.shape[1:])
    originals = data.pixels.rows(places)
    rows = [[originals[n], *made[:, n]] for n in range(len(places))]
    file = BytesIO()
    _sheet(rows).save(file, "PNG")
    return file.getvalue()


def _sheet(rows: list[list[UInt8Array]]) -> Image.Image:
    width = _SIDE * len(rows[0]) + _WIDER_GAP + _GAP * (len(rows[0]) - 2)
    sheet = Image.new("RGBA", (width, _SIDE * len(rows) + _GAP * (len(rows) - 1)))
    for row, images in enumerate(rows):
        for column, pixels in enumerate(images):
            left = column * (_SIDE + _GAP) + (_WIDER_GAP - _GAP) * (column > 0)
            small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
            sheet.paste(small, (left, row * (_SIDE + _GAP)))
    return sheet
