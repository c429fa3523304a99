"""Files that every viewer shows and Pillow refuses, made whole; what lacks pixels stays refused."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Texts and colour profiles change no pixel, and Pillow refuses those that unpack to more than a megabyte.
_DROPPED = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP"})
_END = b"\xff\xd9"
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
# Bits that a cut-off image would go on with, each time with other pixels; a whole one skips them.
_GOES_ON = b"\x55\xa3\x1c\x2e" * 16


def repaired(data: bytes) -> bytes | None:
    """Return the file so that Pillow reads it, or None where that cannot be done without inventing pixels.

    A PNG loses its texts and its colour profile. A JPEG whose last scan is complete gets its end marker; one
    that is progressive, and was cut between two scans, then lacks precision but no place.
    """
    if data.startswith(_SIGNATURE):
        return _without_texts(data)
    if data.startswith(b"\xff\xd8") and not data.endswith(_END):
        return _with_end(data)
    return None


def _without_texts(data: bytes) -> bytes | None:
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] not in _DROPPED:
            kept.append(data[at:end])
        at = end
    small = b"".join(kept)
    return small if len(small) < len(data) else None


def _with_end(data: bytes) -> bytes | None:
    scans = data.removesuffix(b"\xff")
    marks = _RESTART.findall(scans)
    restart = b"\xff" + bytes([0xD0 + (marks[-1][0] + 1) % 8 if marks else 0xD0])
    try:
        pictures = [
            np.asarray(Image.open(BytesIO(scans + more + _END), formats=("JPEG",)))
            for more in (b"", _GOES_ON, restart + _GOES_ON)
        ]
    except Exception:  # a decoder that is fed arbitrary bytes may raise anything
        return None
    return scans + _END if all(np.array_equal(pictures[0], other) for other in pictures) else None
