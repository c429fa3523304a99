"""The licence of a data set, as whoever gave the images put it beside them."""

from __future__ import annotations

import io
from pathlib import Path

from eyebright.data.storage.places import is_folder, open_binary, scandir

_NAMES = {"license", "licence"}
_LONGEST = 200


def data_licence(root: Path) -> str | None:
    """Return the name and the first line of a LICENSE file in the data's folder.

    Args:
        root: the data's folder.

    Returns:
        ``"LICENSE.txt: Creative Commons Attribution 4.0"``, or None where there is no such file.
    """
    if not is_folder(root):
        return None
    with scandir(root) as entries:
        names = sorted(e.name for e in entries if e.name.split(".")[0].lower() in _NAMES and e.is_file())
    if not names:
        return None
    with io.TextIOWrapper(open_binary(root / names[0]), encoding="utf-8", errors="replace") as file:
        lines = (" ".join(line.split()) for line in file)
        first = next((line for line in lines if line), "")
    return f"{names[0]}: {first[:_LONGEST]}" if first else names[0]
