"""Images at the size at which a model sees them, so that a corruption means the same for all."""

from __future__ import annotations

import numpy as np

from eyebright.data.decode import PILLOW, open_rgb
from eyebright.sealed.model import SealedModel
from eyebright.types import UInt8Array


def seen_size(data: bytes, model: SealedModel) -> UInt8Array:
    """Return the image (H, W, 3), its short side scaled down to the input size as by the model, never up."""
    image = open_rgb(data, min_side=model.size, white_level=model.white_level)
    short = min(image.size)
    if short > model.size:
        width, height = (round(side * model.size / short) for side in image.size)
        method = PILLOW[model.card.preprocessing.interpolation]
        image = image.resize((width, image.height), method).resize((width, height), method)
    return np.asarray(image)
