"""When an image was taken: from its sample, or from the EXIF block of its file."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from pathlib import Path

from PIL import ExifTags

from eyebright.data.header import open_image, read_image

# As EXIF, ISO 8601 and tables write it; what a time zone says is left out, for cameras know none.
_FORMATS = ("%Y:%m:%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y:%m:%d", "%Y%m%d")
_TAGS = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized)
#: The year of the oldest photograph; cameras without a battery say the year 0.
EARLIEST = 1826


def read_time(text: str) -> str:
    """Return a time as ISO 8601 to the second, without its zone; empty where the text is none."""
    text = text.strip("\0 ")
    try:
        return _plain(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return _plain(datetime.strptime(text, form))
        except ValueError:
            continue
    return ""


def capture_time(path: Path, sha: str | None = None) -> str:
    """Return when a photograph was taken, as ISO 8601; empty where its file does not say.

    Args:
        path: of the file.
        sha: its hash in the manifest; None of a file that is in none.
    """
    try:
        with open_image(BytesIO(read_image(path, sha))) as image:
            exif = image.getexif()
        within = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # a parser that is fed arbitrary bytes may raise anything; then no time is known
        return ""
    found = (within.get(tag) or exif.get(tag) for tag in _TAGS)
    return next((time for text in found if isinstance(text, str) and (time := read_time(text))), "")


def _plain(time: datetime) -> str:
    if time.year < EARLIEST:
        raise ValueError(time)
    return time.replace(tzinfo=None, microsecond=0).isoformat()
