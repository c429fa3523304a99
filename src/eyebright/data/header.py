"""An image file without decoding its pixels: its bytes, hash, format and size."""

from __future__ import annotations

import logging
import os
import stat
import warnings
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from eyebright.data.repair import repaired
from eyebright.errors import ImageError, NotFoundError

#: Files with these extensions are images; all others are not opened.
EXTENSIONS = frozenset({"jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif"})
#: Larger images are refused before a pixel is decoded; Pillow's own limit.
MAX_PIXELS = 178_956_970
#: Longer sides are refused as well: no camera makes them, and a thin image costs as much as a large one.
MAX_SIDE = 65_535

# Named, because Pillow would otherwise try all it knows, and its EPS reader runs an outside program.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_WHOLE_BYTES = 32 * 2**20

# Pillow's warnings of sizes and EXIF blocks are no news: the limits and the sentences are our own.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Header:
    """A file's BLAKE2b-128 in hex, and its image's size in pixels after the EXIF rotation."""

    sha: str
    width: int
    height: int


def hash_bytes(data: bytes) -> str:
    """Return the BLAKE2b-128 hash of an image file in hex, which identifies its content everywhere."""
    return blake2b(data, digest_size=16).hexdigest()


def read_image(path: str | os.PathLike[str], sha: str | None = None) -> bytes:
    """Return the bytes of an image file, read once: what is decoded or cached is then what was hashed.

    Args:
        path: of the file.
        sha: the hash that its manifest has, or None of a file that is in no manifest.

    Raises:
        NotFoundError: the file does not exist.
        ImageError: it cannot be read, or its content changed after ``sha`` was taken.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise NotFoundError("The image must exist. {path} does not. Check the path.", path=path) from None
    except OSError as error:
        raise _named(unreadable(error), path) from None
    if sha is not None and hash_bytes(data) != sha:
        raise _named(_changed(), path)
    return data


def read_header(path: str | os.PathLike[str]) -> Header:
    """Return hash and size of an image file, which is read once and not decoded.

    Raises:
        ImageError: the file cannot be read, is no image, or is too large.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ImageError("Not a regular file. Remove it.")
        with open(path, "rb", buffering=0) as file:
            if status.st_size > _WHOLE_BYTES:
                sha = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
                file.seek(0)
                return Header(sha, *_upright_size(open_image(file)))
            data = file.read()
        return Header(hash_bytes(data), *_upright_size(open_image(BytesIO(data))))
    except OSError as error:
        raise unreadable(error) from None


def open_image(file: BinaryIO) -> Image.Image:
    """Return a Pillow image whose pixels are not decoded yet.

    Raises:
        ImageError: not an image of a format we read, or too large.
    """
    try:
        image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError:
        raise _too_large() from None
    except UnidentifiedImageError:
        raise _not_an_image(file) from None
    except Exception as error:  # a parser that is fed arbitrary bytes may raise anything
        file.seek(0)
        if (whole := repaired(file.read())) is None:
            raise damaged(error) from None
        return open_image(BytesIO(whole))
    return check_size(image)


def check_size(image: Image.Image) -> Image.Image:
    """Return ``image``, if it is not too large to be decoded.

    Raises:
        ImageError: it has more than :data:`MAX_PIXELS` pixels, or a side of more than :data:`MAX_SIDE`.
    """
    if image.width * image.height > MAX_PIXELS:
        raise _too_large()
    if max(image.size) > MAX_SIDE:
        raise ImageError(
            "Each side of an image must have at most {limit} pixels. This image has {width} × {height}, so "
            "it was not decoded. Cut it into parts, or remove it.",
            limit=MAX_SIDE,
            width=image.width,
            height=image.height,
        )
    return image


def orientation(image: Image.Image) -> int:
    """Return how the image is stored, 1 to 8 as EXIF counts; 1 is upright, and what is not known."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF does not make an image unusable
        return 1


def damaged(error: Exception) -> ImageError:
    """Return the error for a file that Pillow makes no sense of, or that memory is too small for."""
    if isinstance(error, MemoryError):
        return ImageError(
            "There must be memory to decode the image. It ran out. Downscale the image, or remove it."
        )
    return ImageError(
        "The image is truncated or damaged ({reason}). Copy it again from its source, or remove it.",
        reason=str(error) or type(error).__name__,
    )


def unreadable(error: OSError) -> ImageError:
    """Return the error for a file that may not be read."""
    return ImageError(
        "The file cannot be opened: {reason}. Check the file and its permissions.",
        reason=error.strerror or str(error),
    )


def _changed() -> ImageError:
    return ImageError(
        "The file changed after it was listed, so it was not used. Restore it, or run again on the new one."
    )


def _named(error: ImageError, path: str | os.PathLike[str]) -> ImageError:
    error.add_note(os.fspath(path))  # the sentence stands beside the path wherever skips are listed
    return error


def _too_large() -> ImageError:
    return ImageError(
        "The image has more than {limit} million pixels, so it was not decoded. Downscale it, or remove it.",
        limit=MAX_PIXELS // 1_000_000,
    )


def _not_an_image(file: BinaryIO) -> ImageError:
    file.seek(0)
    if not file.read(1):
        return ImageError("The file is empty. Copy it again, or remove it.")
    return ImageError(
        "Not a JPEG, PNG, WebP, BMP, TIFF or GIF image, whatever its name says. Convert it, or remove it."
    )


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Pillow reports TIFF sizes upright already, and for a PNG without the chunk it would decode all to look.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return width, height
    return (height, width) if orientation(image) >= 5 else (width, height)
