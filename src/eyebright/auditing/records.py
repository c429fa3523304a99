"""What an audit keeps of each image beside its features: fingerprint, borders, looks, coding."""

from __future__ import annotations

import io
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.recfunctions import repack_fields
from PIL import Image, ImageFilter

from eyebright.auditing.fingerprint import SIDE, border_steps, borders, fingerprint, inside, small_grey
from eyebright.data.image_properties import small_looks
from eyebright.types import BoolArray

#: (N,) records of images, one structured value each.
Records: TypeAlias = npt.NDArray[Any]
#: Raise it when a record would be measured otherwise: those in the cache depend on it.
RECORDING = 1
#: Fingerprints are of the whole image, and of what lies inside its uniform borders, whose shares of the sides
#: (above, below, left, right) stand beside it.
#: The looks are brightness, contrast and sharpness; the levels, fractions of white, are those below which 5
#: and 95 % of the pixels lie. What is sharp loses much when it is blurred, and what is blurred little:
#: ``reblur`` is the logarithm of the share of its sharpness that an image keeps (after Crete et al., 2007).
RECORD = np.dtype(
    [
        ("print", "u1", (SIDE, SIDE)),
        ("inside", "u1", (SIDE, SIDE)),
        ("borders", "f4", (4,)),
        ("steps", "f4", (4,)),
        ("looks", "f4", (3,)),
        ("levels", "f4", (2,)),
        ("reblur", "f4"),
        ("quantisation", "f4"),
        ("format", "f4"),
    ]
)
#: What is small of a record, and stays in memory where fingerprints are read as they are needed.
PROPERTIES = [name for name in RECORD.names or () if name not in ("print", "inside")]
#: A frame takes at least this share of two opposite sides; where it ends, so much of the side must differ.
LEAST_BORDER, LEAST_STEP = 0.02, 0.5
_TAILS = (0.05, 0.95)
_REBLUR_PX = 1.5
_FLAT = 0.5  # sharpness of an image without any: it keeps all of it
#: Formats by their place in a record; any other is -1.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


def record(picture: Image.Image, data: bytes = b"") -> Records:
    """Return the record of an RGB image, a structured scalar; ``data`` is its file, empty if planted."""
    found = np.zeros((), RECORD)
    small = small_grey(picture)
    edges = borders(small)
    found["print"], found["borders"] = fingerprint(small), edges
    found["steps"] = border_steps(small, edges)
    found["inside"] = fingerprint(inside(small, edges)) if edges.any() else found["print"]
    found["looks"] = seen = small_looks(small)
    found["levels"] = np.quantile(np.asarray(small), _TAILS) / 255
    found["reblur"] = _kept_sharpness(small, seen[2])
    found["quantisation"], found["format"] = _coding(data) if data else (0, -1)
    return found


def without_fingerprints(records: Records) -> Records:
    """Return records (N,) of their properties alone."""
    return repack_fields(records[PROPERTIES])


def is_framed(records: Records) -> BoolArray:
    """Return (N,) whether uniform borders take two opposite sides, and end there as frames do."""
    framed = (records["borders"] >= LEAST_BORDER) & (records["steps"] >= LEAST_STEP)
    vertical, horizontal = framed[:, 0] & framed[:, 1], framed[:, 2] & framed[:, 3]
    return np.asarray(vertical | horizontal)


def _kept_sharpness(small: Image.Image, before: float) -> float:
    """Return how much of the sharpness ``before`` is left once the picture is blurred, as a logarithm."""
    blurred = small.filter(ImageFilter.GaussianBlur(_REBLUR_PX))
    after = small_looks(blurred)[2]
    return float(np.log((after + _FLAT) / (before + _FLAT)))


def _coding(data: bytes) -> tuple[float, int]:
    """Return the mean step of a file's JPEG luminance, 0 of other formats, and its format's place."""
    with Image.open(io.BytesIO(data)) as image:
        tables = getattr(image, "quantization", None) or {}
        known = FORMATS.index(image.format) if image.format in FORMATS else -1
    return float(np.mean(tables[0])) if 0 in tables else 0.0, known
