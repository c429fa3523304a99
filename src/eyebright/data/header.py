"""An image file without decoding its pixels: its bytes, hash, format and size."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from eyebright.data.colour import FULL_LEVEL, is_deep
from eyebright.data.formats.known import format_by_content, open_by_content
from eyebright.data.formats.limits import require_size, too_large
from eyebright.data.formats.repair import repaired
from eyebright.data.storage.places import read_bytes
from eyebright.errors import ImageError, NotFoundError

if TYPE_CHECKING:
    from eyebright.types import ImageLike

_WHOLE_BYTES = 32 * 2**20
# Markers of JPEG segments.
_SCAN, _ADOBE, _COMMENT = b"\xda", 0xEE, 0xFE


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself.

    Attributes:
        sha: BLAKE2b-128 of its bytes, in hex.
        width: pixels, after the EXIF rotation.
        height: pixels, after the EXIF rotation.
        white_level: 65535 of grey with more than 8 bits, whatever its values; 0 of all other images.
        content: of a JPEG, the hash of what its pixels come from, without metadata; empty of other formats.
    """

    sha: str
    width: int
    height: int
    white_level: int
    content: str


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
        data = read_bytes(path)
    except (FileNotFoundError, ValueError):  # a name with a NUL, which no file has, is the latter
        raise NotFoundError("The image must exist. {path} does not. Check the path.", path=path) from None
    except OSError as error:
        raise _named(unreadable(error), path) from None
    if sha is not None and hash_bytes(data) != sha:
        raise _named(_changed(), path)
    return data


def encoded(source: ImageLike) -> bytes:
    """Return the bytes of an image file.

    Args:
        source: a path, bytes of any kind, or a file that is open for reading bytes, which is read to its end.

    Raises:
        NotFoundError: the path does not exist.
        ImageError: the file cannot be read, or ``source`` is something else.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        return read_image(source)
    content = source.read() if hasattr(source, "read") else None
    if not isinstance(content, bytes):
        raise ImageError(
            "An image must be a path, encoded bytes, a file opened in binary mode, a Pillow image or a uint8 "
            "array of RGB pixels. Got {kind}. Convert it; several images are for eyebright.predict.",
            kind=type(source).__name__,
        )
    return content


def read_header(path: str | os.PathLike[str]) -> Header:
    """Return hash and size of an image file, which is read once and not decoded.

    Raises:
        ImageError: the file cannot be read, is no image, or is too large.
    """
    try:
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return _of_bytes(read_bytes(path))
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ImageError("Not a regular file. Remove it.")
        with open(path, "rb", buffering=0) as file:
            if status.st_size > _WHOLE_BYTES:
                sha = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
                file.seek(0)
                return _header(sha, open_image(file), file)
            return _of_bytes(file.read())
    except OSError as error:
        raise unreadable(error) from None


def _of_bytes(data: bytes) -> Header:
    return _header(hash_bytes(data), open_image(BytesIO(data)), BytesIO(data))


def _header(sha: str, image: Image.Image, file: BinaryIO) -> Header:
    content = _jpeg_content(file, orientation(image)) if image.format in ("JPEG", "MPO") else ""
    return Header(sha, *_upright_size(image), FULL_LEVEL if is_deep(image) else 0, content)


def _jpeg_content(file: BinaryIO, turn: int) -> str:
    """Return the hash of a JPEG without comments and application segments, save the one on its colours."""
    file.seek(0)
    data = file.read()
    state, at = blake2b(bytes([turn & 15]), digest_size=16), 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] not in (b"", _SCAN):
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker == _ADOBE or not (0xE0 <= marker <= 0xEF or marker == _COMMENT):
            state.update(data[at:end])
        at = end
    state.update(memoryview(data)[at:])
    return state.hexdigest()


def open_image(file: BinaryIO) -> Image.Image:
    """Return a Pillow image whose pixels are not decoded yet.

    Raises:
        ImageError: not an image of a format we read, or too large.
    """
    try:
        image = open_by_content(file)
    except Image.DecompressionBombError:
        raise too_large() from None
    except UnidentifiedImageError:
        raise _not_an_image(file) from None
    except ImageError:
        raise
    except Exception as error:  # a parser that is fed arbitrary bytes may raise anything
        file.seek(0)
        if (whole := repaired(file.read())) is None:
            raise damaged(error) from None
        return open_image(BytesIO(whole))
    return check_size(image)


def check_size(image: Image.Image) -> Image.Image:
    """Return ``image``, if it is not too large to be decoded.

    Raises:
        ImageError: see :func:`require_size`.
    """
    require_size(*image.size)
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


def _not_an_image(file: BinaryIO) -> ImageError:
    file.seek(0)
    head = file.read(132)
    if not head:
        return ImageError("The file is empty. Copy it again, or remove it.")
    extra = format_by_content(head)
    if extra is not None and extra.installed:
        return damaged(ValueError(f"no {extra.name} picture in it"))
    if extra is not None:
        return ImageError(
            "{format} files are read with the extra {extra}. It is not installed. Run: {command}",
            format=extra.name,
            extra=extra.extra,
            command=extra.command,
        )
    if head.startswith((b"II*\0", b"MM\0*")):
        return ImageError(
            "A TIFF must be whole, and its pixels integers of up to 32 bits or 32-bit floats of one channel. "
            "This one cannot be read. Convert it, or remove it."
        )
    return ImageError(
        "Not a JPEG, PNG, WebP, BMP, TIFF, GIF or other known image, whatever its name says. Convert it, or "
        "remove it."
    )


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Pillow reports TIFF sizes upright already, and for a PNG without the chunk it would decode all to look.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return width, height
    return (height, width) if orientation(image) >= 5 else (width, height)
