"""Small real image files and folders of them, each image with pixels of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from eyebright.types import UInt8Array


def photograph(width: int = 640, height: int = 427) -> Image.Image:
    """A real photograph (a temple), cut to size."""
    return Image.fromarray(load_sample_image("china.jpg")).crop((0, 0, width, height))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """``image`` as the bytes of a file."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(number: int, side: int = 8) -> UInt8Array:
    """(side, side, 3), different for each number."""
    return np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)


def write_image(path: Path, number: int) -> Path:
    """A PNG file with pixels of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(Image.fromarray(pixels(number)), "PNG"))
    return path


def write_classes(folder: Path, counts: dict[str, int], first: int = 0) -> Path:
    """A folder of class folders; all images differ."""
    number = first
    for label, count in counts.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            write_image(folder / label / f"{index}.png", number)
            number += 1
    return folder


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """An empty folder, and no root's rights to look past permissions."""
    with tempfile.TemporaryDirectory() as name:
        root = os.geteuid() == 0
        if root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)
