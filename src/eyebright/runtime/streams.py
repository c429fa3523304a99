"""Standard streams that may be closed, full, or read by someone who leaves early."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import IO

from eyebright.text.table import printable_lines


def prepare_streams() -> None:
    """Open closed standard streams on nothing, and write UTF-8 whatever the system's code page.

    A file opened while one of the first three descriptors is free would get it, and with it what a library
    prints. File names that are not valid text pass unharmed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # the next to be opened takes the lowest that is free: this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def print_line(text: str, out: IO[str]) -> None:
    """Print what a person should know; work does not end because nobody can be told of it.

    Raises:
        BrokenPipeError: whoever read it has left.
    """
    try:
        print(printable_lines(text), file=out, flush=True)
    except BrokenPipeError:
        raise
    except OSError:  # the disk of a log file is full
        give_up(out)


def give_up(out: IO[str]) -> None:
    """Lead a stream that cannot be written to nothing, or the interpreter's last flush would complain."""
    with suppress(OSError, ValueError):  # a stream of a test or notebook has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
