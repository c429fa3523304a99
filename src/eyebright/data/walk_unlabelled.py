"""Images without labels: every image file under a folder, as it is found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from eyebright.data.header import EXTENSIONS


def image_files(folder: Path) -> Iterator[str]:
    """Return paths of the image files under ``folder``, a folder's own first, hidden ones left out.

    Links to folders are not followed. Nothing is gathered, so that a million files need no memory.
    """
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            if name.startswith(".") or os.path.splitext(name)[1][1:].lower() not in EXTENSIONS:
                continue
            path = os.path.join(where, name)
            if os.path.isfile(path):  # a named pipe would be waited for
                yield path
