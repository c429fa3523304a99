"""Images in memory as files, for what is cached by the hash of a file."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from eyebright.data.decode import decode
from eyebright.types import ImageLike


def write_image(image: ImageLike, path: Path) -> None:
    """Write an image as PNG; equal pixels become equal files.

    Args:
        image: to write.
        path: of the file, with the ending `.png`.

    Raises:
        ImageError: it is no image.
    """
    Image.fromarray(decode(image)).save(path, compress_level=1)
