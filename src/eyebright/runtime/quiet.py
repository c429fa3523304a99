"""Warnings and logs of libraries, kept off the terminal: they mean nothing to who types a command."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Show no Python warnings and no logs in the block, unless Python was started with a filter (`-W`)."""
    if sys.warnoptions:
        yield
        return
    show, silent = warnings.showwarning, logging.NullHandler()
    # Not a filter: where warnings are errors, as in tests, they stay so.
    warnings.showwarning = lambda *_args, **_options: None
    logging.getLogger().addHandler(silent)  # else what no handler takes is printed
    try:
        yield
    finally:
        warnings.showwarning = show
        logging.getLogger().removeHandler(silent)
