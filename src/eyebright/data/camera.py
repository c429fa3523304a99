"""Which camera took a photograph, as its file tells."""

from __future__ import annotations

from pathlib import Path

from PIL import ExifTags, Image

# EXIF stands near a file's beginning; most files without it are told by so many bytes.
_HEAD_BYTES = 4096


def camera(path: Path) -> str:
    """Make and model from the EXIF block of a JPEG or TIFF, or "" where there is none that can be read."""
    try:
        with path.open("rb") as file:
            if b"Exif\0" not in (head := file.read(_HEAD_BYTES)) and head[:2] not in (b"II", b"MM"):
                return ""
        with Image.open(path) as image:
            exif = image.getexif()
    except Exception:  # a parser that is fed arbitrary bytes may raise anything; a camera is not worth it
        return ""
    make, model = (_clean(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    # Many models begin with their maker's name.
    return model if model.casefold().startswith(make.casefold()) else f"{make} {model}".strip()


def _clean(value: object) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""
