"""Errors on the terminal: of several processes that fail for the same reason, one tells it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyebright.runtime.streams import print_line

_FOLDER = "EYEBRIGHT_FAILURES"


def tell(text: str) -> None:
    """Print an error's text, or leave it to the :func:`told_once` in which this process was started."""
    if folder := os.environ.get(_FOLDER):
        Path(folder, f"{os.getpid()}.txt").write_text(text, encoding="utf-8", errors="surrogateescape")
    else:
        print_line(text, sys.stderr)


@contextmanager
def told_once() -> Iterator[None]:
    """Print the errors of processes that are started in this block at its end, each text once."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_FOLDER]
            files = sorted(Path(folder).iterdir())
            texts = [path.read_text(encoding="utf-8", errors="surrogateescape") for path in files]
            for text in dict.fromkeys(texts):
                print_line(text, sys.stderr)
