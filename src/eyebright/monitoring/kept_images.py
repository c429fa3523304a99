"""The images of a service that are worth a label, kept only where somebody asked for it."""

from __future__ import annotations

import hashlib
import heapq
import re
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from eyebright.data.formats.known import open_by_content
from eyebright.errors import StorageError
from eyebright.runtime.atomic import write_bytes

_NAME = re.compile(r"(\d{4})-[0-9a-f]{16}\.\w+")
_EXTENSIONS = {"JPEG": "jpg", "JPEG2000": "jp2", "TIFF": "tif", "HEIF": "heic", None: "dcm"}
_MOST_DOUBT, _STEPS = 8.0, 9999


class KeptImages:
    """A folder with the images that a model is least sure of, never more than so many.

    The file of an image says how doubtful it is, so that a service that starts again goes on.

    Args:
        folder: is made when the first image is kept.
        most: images.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        known = [path.name for path in folder.glob("*-*.*")] if folder.is_dir() else []
        self._names = [name for name in known if _NAME.fullmatch(name)]
        heapq.heapify(self._names)  # names begin with their doubt

    def keep(self, content: bytes, doubt: float) -> str:
        """Keep an encoded image if it is among the most doubtful ones.

        Args:
            content: as it was sent, of a format that is read.
            doubt: the larger, the more a label is worth; 0 of a sure answer.

        Returns:
            Its path; empty where it is not kept, also because the disk is full.
        """
        level = round(_STEPS * min(max(doubt, 0.0), _MOST_DOUBT) / _MOST_DOUBT)
        kind = open_by_content(BytesIO(content)).format
        extension = _EXTENSIONS.get(kind) or str(kind).lower()
        name = f"{level:04d}-{hashlib.sha256(content).hexdigest()[:16]}.{extension}"
        if name in self._names:
            return str(self._folder / name)
        if len(self._names) >= self._most and name <= self._names[0]:
            return ""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self._folder / name, content)
        except (StorageError, OSError):  # answers go on; the log then has no name for the image
            return ""
        heapq.heappush(self._names, name)
        while len(self._names) > self._most:
            with suppress(OSError):
                (self._folder / heapq.heappop(self._names)).unlink()
        return str(self._folder / name)
