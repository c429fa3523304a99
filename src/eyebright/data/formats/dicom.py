"""A DICOM file as a picture: rescaled, in its own window, white where it means white."""

from __future__ import annotations

from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from eyebright.data.formats.limits import require_size
from eyebright.errors import ImageError
from eyebright.types import UInt8Array


def dicom_image(file: BinaryIO) -> Image.Image:
    """Return the first frame as a picture: RGB, 8-bit grey, or deep grey where the file has no window.

    Grey passes the rescaling and the first window (or look-up table) of the file. Without a window the stored
    values are the picture, so that they get the white level of the data set; signed ones are shown from the
    frame's minimum to its maximum.

    Raises:
        ImageError: the file holds no picture, or one that is too large.
    """
    pydicom, pixels = import_module("pydicom"), import_module("pydicom.pixels")
    data = pydicom.dcmread(file)
    if "PixelData" not in data or "Rows" not in data:
        raise ImageError("A DICOM file must hold a picture. This one holds none. Remove it.")
    require_size(data.Columns, data.Rows)
    stored = _stored(data, pixels)
    if data.PhotometricInterpretation == "PALETTE COLOR":
        stored = pixels.apply_color_lut(stored, data)
        return Image.fromarray(_eight_bits(stored, 0, np.iinfo(stored.dtype).max))
    if stored.ndim == 3:
        return Image.fromarray(_eight_bits(stored, 0, 2**data.BitsStored - 1))
    turned = data.PhotometricInterpretation == "MONOCHROME1"
    if data.get("VOILUTSequence") or data.get("WindowCenter") is not None:
        shown = pixels.apply_voi_lut(pixels.apply_modality_lut(stored, data), data, index=0)
        grey = _eight_bits(shown, *_range(data))
    elif data.PixelRepresentation == 1:
        grey = _eight_bits(stored, float(stored.min()), float(stored.max()))
    elif data.BitsStored <= 8:
        grey = _eight_bits(stored, 0, 2**data.BitsStored - 1)
    else:
        deep = 2**data.BitsStored - 1 - stored.astype(np.int64) if turned else stored
        return Image.fromarray(deep.astype(np.uint16 if data.BitsStored <= 16 else np.int32))
    return Image.fromarray(255 - grey if turned else grey)


def _stored(data: Any, pixels: Any) -> Any:
    """Return the stored values of the first frame, (H, W) or (H, W, 3)."""
    try:
        return pixels.pixel_array(data, index=0)
    except (RuntimeError, NotImplementedError):  # pydicom knows the compression, but nothing here undoes it
        raise ImageError(
            "A DICOM file must be stored plainly, or as RLE, JPEG or JPEG 2000. This one has {syntax}. "
            "Decompress it, for example with gdcmconv --raw.",
            syntax=data.file_meta.TransferSyntaxUID.name,
        ) from None


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
