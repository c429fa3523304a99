"""What an audit keeps of each image beside its features: fingerprint, borders, brightness, sharpness, coding."""

from __future__ import annotations

import io
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from eyebright.auditing.fingerprint import SIDE, borders, fingerprint, inside, small_grey
from eyebright.data.image_properties import looks

#: (N,) records of images, one structured value each.
Records: TypeAlias = npt.NDArray[Any]
#: Raise it when a record would be measured otherwise: those in the cache depend on it.
RECORDING = 1
#: Fingerprints are of the whole image, and of what lies inside its uniform borders, whose shares of the sides
#: (above, below, left, right) stand beside it.
#: The looks are brightness, contrast and sharpness.
RECORD = np.dtype(
    [
        ("print", "u1", (SIDE, SIDE)),
        ("inside", "u1", (SIDE, SIDE)),
        ("borders", "f4", (4,)),
        ("looks", "f4", (3,)),
        ("quantisation", "f4"),
        ("format", "f4"),
    ]
)
#: Formats by their place in a record; any other is -1.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


def record(picture: Image.Image, data: bytes = b"") -> Records:
    """Return the record of an RGB image, a structured scalar; ``data`` is its file, nothing of what is planted."""
    found = np.zeros((), RECORD)
    small = small_grey(picture)
    edges = borders(small)
    found["print"], found["borders"] = fingerprint(small), edges
    found["inside"] = fingerprint(inside(small, edges)) if edges.any() else found["print"]
    found["looks"] = looks(np.asarray(small.convert("RGB")))
    found["quantisation"], found["format"] = _coding(data) if data else (0, -1)
    return found


def _coding(data: bytes) -> tuple[float, int]:
    """Return the mean step of a file's JPEG luminance, 0 of other formats, and its format's place."""
    with Image.open(io.BytesIO(data)) as image:
        tables = getattr(image, "quantization", None) or {}
        known = FORMATS.index(image.format) if image.format in FORMATS else -1
    return float(np.mean(tables[0])) if 0 in tables else 0.0, known
