"""Files to the person's machine."""

from __future__ import annotations

from pathlib import Path

from . import note


def download(filename: str) -> None:
    """Note the file, which must exist."""
    if not Path(filename).is_file():
        raise FileNotFoundError(filename)
    note("download", filename)
