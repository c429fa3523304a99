"""A DICOM file as a picture: rescaled, in its own window, white where it means white."""

from __future__ import annotations

from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from eyebright.errors import ImageError
from eyebright.types import UInt8Array

_MOST_PIXELS = 178_956_970


def dicom_image(file: BinaryIO) -> Image.Image:
    """Return the first frame as an 8-bit image, grey or RGB.

    Grey passes the rescaling and the first window (or look-up table) of the file. Without a window, black and
    white are the ends of what the stored bits can hold, or the frame's own if they are signed.

    Raises:
        ImageError: the file holds no picture, or one that is too large.
    """
    pydicom, pixels = import_module("pydicom"), import_module("pydicom.pixels")
    data = pydicom.dcmread(file)
    if "PixelData" not in data or "Rows" not in data:
        raise ImageError("A DICOM file must hold a picture. This one holds none. Remove it.")
    if data.Rows * data.Columns > _MOST_PIXELS:
        raise ImageError(
            "The image has more than {limit} million pixels, so it was not decoded. Downscale it, or "
            "remove it.",
            limit=_MOST_PIXELS // 1_000_000,
        )
    stored = pixels.pixel_array(data, index=0)
    if data.PhotometricInterpretation == "PALETTE COLOR":
        stored = pixels.apply_color_lut(stored, data)
        return Image.fromarray(_eight_bits(stored, 0, np.iinfo(stored.dtype).max))
    if stored.ndim == 3:
        return Image.fromarray(_eight_bits(stored, 0, 2**data.BitsStored - 1))
    values = pixels.apply_modality_lut(stored, data)
    shown = pixels.apply_voi_lut(values, data, index=0)
    windowed = data.get("VOILUTSequence") or data.get("WindowCenter") is not None
    if not windowed and data.PixelRepresentation == 1:
        grey = _eight_bits(shown, float(shown.min()), float(shown.max()))
    else:
        grey = _eight_bits(shown, *_range(data))
    return Image.fromarray(255 - grey if data.PhotometricInterpretation == "MONOCHROME1" else grey)


def _range(data: Any) -> tuple[float, float]:
    """Return the values of a grey picture that are black and white, after all tables and windows."""
    for table in ("VOILUTSequence", "ModalityLUTSequence"):
        if data.get(table):
            return 0.0, 2.0 ** data[table][0].LUTDescriptor[2] - 1
    low = -(2.0 ** (data.BitsStored - 1)) if data.PixelRepresentation == 1 else 0.0
    slope, intercept = float(data.get("RescaleSlope") or 1), float(data.get("RescaleIntercept") or 0)
    first, last = (value * slope + intercept for value in (low, low + 2.0**data.BitsStored - 1))
    return min(first, last), max(first, last)


def _eight_bits(values: Any, low: float, high: float) -> UInt8Array:
    scaled = (np.asarray(values, np.float64) - low) * (255 / ((high - low) or 1))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
