"""Which files are images: by extension where folders are walked, by content where files are read."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from typing import BinaryIO

from PIL import Image, features

from eyebright.data.formats.dicom import dicom_image
from eyebright.runtime.install import install_command

# Pillow's warnings of sizes and EXIF blocks are no news: the limits and the sentences are our own.
warnings.filterwarnings("ignore", module=r"(PIL|pydicom)\.")
for _library in ("PIL", "pydicom"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True)
class ExtraFormat:
    """A format that needs an extra of Eyebright, or a build of Pillow with it.

    Attributes:
        name: to people.
        extensions: without the dot.
        extra: of Eyebright.
        package: what the extra installs.
    """

    name: str
    extensions: frozenset[str]
    extra: str
    package: str

    @property
    def command(self) -> str:
        """Return the line that installs the extra."""
        return install_command(self.extra)

    @property
    def installed(self) -> bool:
        """Return whether files of this format can be read."""
        return find_spec(self.package) is not None


HEIF = ExtraFormat("HEIC", frozenset({"heic", "heif", "hif"}), "heif", "pi_heif")
DICOM = ExtraFormat("DICOM", frozenset({"dcm", "dicom"}), "dicom", "pydicom")
EXTRAS = (HEIF, DICOM)

_AVIF, _JPEG_2000 = features.check("avif"), features.check("jpg_2000")
_PILLOW: Mapping[str, bool] = {
    "jpg jpeg jpe jfif png webp bmp tif tiff gif": True,
    "avif": bool(_AVIF),
    "jp2 j2k jpf jpx": bool(_JPEG_2000),
}


@cache
def extensions() -> frozenset[str]:
    """Return the extensions of image files; files with others are not opened."""
    known = {word for words, there in _PILLOW.items() if there for word in words.split()}
    return frozenset(known.union(*(extra.extensions for extra in EXTRAS if extra.installed)))


def missing_extra(suffixes: Iterable[str]) -> ExtraFormat | None:
    """Return the format of the first of these extensions (".heic") whose extra is not installed."""
    return next((e for s in suffixes for e in EXTRAS if s[1:] in e.extensions and not e.installed), None)


def format_by_content(head: bytes) -> ExtraFormat | None:
    """Return the format that an extra reads, by the first 132 bytes of a file; None of all others."""
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return None if b"avif" in head[8:40] else HEIF
    return DICOM if head[128:132] == b"DICM" else None


def open_by_content(file: BinaryIO) -> Image.Image:
    """Return a Pillow image of any format that is read, if possible without decoding it.

    Raises:
        UnidentifiedImageError: it is of none.
    """
    head = file.read(132)
    file.seek(0)
    if (extra := format_by_content(head)) is not None and extra.installed:
        if extra is DICOM:
            return dicom_image(BytesIO(file.read()))
        _register_heif()
        return Image.open(file, formats=("HEIF",))
    # Named, because Pillow would otherwise try all it knows, and its EPS reader runs an outside program.
    return Image.open(file, formats=_pillow_formats())


@cache
def _pillow_formats() -> tuple[str, ...]:
    more = (("AVIF",) if _AVIF else ()) + (("JPEG2000",) if _JPEG_2000 else ())
    return ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", *more)


@cache
def _register_heif() -> None:
    import_module("pi_heif").register_heif_opener()
