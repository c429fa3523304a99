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

import numpy as np
from PIL import Image, ImageOps

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
        with Image.open(root / path) as image:
            image.draft("RGB", (side, side))
            return _small(image, side)
    except Exception:  # as above
        return None


def _thumbnail(root: Path, side: int, path: str) -> Thumbnail:
    try:
        with Image.open(root / path) as image:
            image.draft("RGB", (side, side))
            return Thumbnail(_uri(_small(image, side)))
    except FileNotFoundError:
        return Thumbnail("", translate("The file no longer exists."))
    # A picture must never cost the report, and Pillow's plugins raise whatever their formats make them.
    except Exception as error:
        return Thumbnail("", translate("The file cannot be read: {reason}", reason=type(error).__name__))


def _small(image: Image.Image, side: int) -> Image.Image:
    # A JPEG is turned last, when it is small; conversions of the other kinds may drop the EXIF block.
    upright = image if image.format == "JPEG" else ImageOps.exif_transpose(image)
    picture = _eight_bit(upright) if upright.mode[0] in "IF" else upright
    if picture.mode in ("P", "PA", "LA", "RGBA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.BICUBIC)
    return ImageOps.exif_transpose(picture)


def _eight_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float32)
    span = float(np.ptp(values)) or 1.0
    return Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8))


def _uri(image: Image.Image) -> str:
    image.info.clear()  # no EXIF, colour profile or comment of the original goes into the page
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
