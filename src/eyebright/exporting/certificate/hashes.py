"""SHA-256 of files, and of several files together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from eyebright.runtime.stored import open_regular


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(files: Mapping[str, str]) -> str:
    """Return one hash for an export: its file's own, or that of the list of several files.

    The list is what `sha256sum` prints, sorted by name, so anyone can recompute it.
    """
    if len(files) == 1:
        return next(iter(files.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
