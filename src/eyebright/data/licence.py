"""The licence of a data set, as whoever gave the images put it beside them."""

from __future__ import annotations

from pathlib import Path

_NAMES = {"license", "licence"}
_LONGEST = 200


def data_licence(root: Path) -> str | None:
    """Return the name and the first line of a LICENSE file in the data's folder.

    Args:
        root: the data's folder.

    Returns:
        ``"LICENSE.txt: Creative Commons Attribution 4.0"``, or None where there is no such file.
    """
    if not root.is_dir():
        return None
    files = (p for p in sorted(root.iterdir()) if p.name.split(".")[0].lower() in _NAMES and p.is_file())
    path = next(files, None)
    if path is None:
        return None
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = (" ".join(line.split()) for line in file)
        first = next((line for line in lines if line), "")
    return f"{path.name}: {first[:_LONGEST]}" if first else path.name
