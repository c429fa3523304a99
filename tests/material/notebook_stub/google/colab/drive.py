"""Google Drive: a folder appears."""

from __future__ import annotations

from pathlib import Path

from . import note


def mount(mountpoint: str) -> None:
    """Make the folder that Colab shows."""
    note("mount", mountpoint)
    (Path(mountpoint) / "MyDrive").mkdir(parents=True, exist_ok=True)
