"""Thumbnails as data URIs, made on a few threads: Pillow lets go of the interpreter while it decodes."""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from eyebright.data.decode import open_rgb
from eyebright.errors import ImageError, NotFoundError
from eyebright.runtime.parallel import in_context
from eyebright.text.language import translate

_QUALITY = 72
_SHEET_QUALITY = 60
_EMPTY = (128, 128, 128)


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as ``uri``, or the reason why there is none."""

    uri: str
    reason: str = ""


def thumbnails(root: Path, paths: Sequence[str], side: int) -> list[Thumbnail]:
    """Return a thumbnail for each path, at most ``side`` pixels wide and high.

    An image that cannot be read yields a placeholder with the reason.
    """
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(in_context(partial(_thumbnail, root, side)), paths))


def data_uri(image: Image.Image, side: int) -> str:
    """Return an RGB image as a data URI, made at most ``side`` pixels wide and high."""
    picture = image.copy()
    picture.thumbnail((side, side), Image.Resampling.BICUBIC)
    return _uri(picture)


def contact_sheet(root: Path, paths: Sequence[str], side: int) -> str:
    """Return images on one picture, as a data URI: squares of ``side`` pixels, row after row.

    A row has :func:`across` of them. What cannot be read leaves its square empty.
    """
    columns = across(len(paths))
    sheet = Image.new("RGB", (columns * side, -(-len(paths) // columns) * side), _EMPTY)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for place, picture in enumerate(pool.map(partial(_tile, root, side), paths)):
            if picture is not None:
                row, column = divmod(place, columns)
                left, top = (side - picture.width) // 2, (side - picture.height) // 2
                sheet.paste(picture, (column * side + left, row * side + top))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=_SHEET_QUALITY, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def across(count: int) -> int:
    """Return how many squares a row has on a sheet of ``count``."""
    return max(1, math.ceil(math.sqrt(count)))


def _tile(root: Path, side: int, path: str) -> Image.Image | None:
    try:
        return _small(root / path, side)
    except (ImageError, NotFoundError):
        return None


def _thumbnail(root: Path, side: int, path: str) -> Thumbnail:
    try:
        return Thumbnail(_uri(_small(root / path, side)))
    except NotFoundError:
        return Thumbnail("", translate("The file no longer exists."))
    except ImageError as error:  # a picture must never cost the report
        return Thumbnail("", error.text())


def _small(path: Path, side: int) -> Image.Image:
    picture = open_rgb(path, min_side=side)
    picture.thumbnail((side, side), Image.Resampling.BICUBIC)
    return picture


def _uri(image: Image.Image) -> str:
    image.info.clear()  # no EXIF, colour profile or comment of the original goes into the page
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
