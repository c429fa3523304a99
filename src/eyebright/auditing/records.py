"""What an audit keeps of each image beside its features: fingerprint, borders, brightness, sharpness, coding."""

from __future__ import annotations

from pathlib import Path
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
        ("bytes", "f4"),
        ("quantisation", "f4"),
        ("format", "f4"),
    ]
)
#: Formats by their place in a record; any other is -1.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


def record(picture: Image.Image, path: Path | None = None) -> Records:
    """Return the record of an RGB image, a structured scalar; ``path`` is its file, None of what is planted."""
    found = np.zeros((), RECORD)
    small = small_grey(picture)
    edges = borders(small)
    found["print"], found["borders"] = fingerprint(small), edges
    found["inside"] = fingerprint(inside(small, edges)) if edges.any() else found["print"]
    found["looks"] = looks(np.asarray(small.convert("RGB")))
    if path is not None:
        found["bytes"], found["quantisation"], found["format"] = _coding(path)
    return found


def _coding(path: Path) -> tuple[int, float, int]:
    """Return a file's bytes, the mean step of its JPEG luminance (0 of other formats) and its format's place."""
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None) or {}
        step = float(np.mean(tables[0])) if tables.get(0) else 0.0
        known = FORMATS.index(image.format) if image.format in FORMATS else -1
    return path.stat().st_size, step, known
