"""Warnings and logs of libraries, kept off the terminal: they mean nothing to who types a command."""

from __future__ import annotations

import ctypes
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Show no warnings and no logs of libraries in the block, unless Python was started with `-W`."""
    if sys.warnoptions:
        yield
        return
    show, silent = warnings.showwarning, logging.NullHandler()
    # Not a filter: where warnings are errors, as in tests, they stay so.
    warnings.showwarning = lambda *_args, **_options: None
    logging.getLogger().addHandler(silent)  # else what no handler takes is printed
    try:
        with _quiet_tiff():
            yield
    finally:
        warnings.showwarning = show
        logging.getLogger().removeHandler(silent)


@contextmanager
def _quiet_tiff() -> Iterator[None]:
    """Keep the lines off the terminal that libtiff itself prints of damaged files, from any thread.

    Pillow raises an error for the same files, and has no switch for the lines. So libtiff is asked, which
    Pillow's own library is linked with; where it was built in, as on Windows, it is out of reach.
    """
    from PIL import _imaging

    with ExitStack() as before:
        try:
            library = ctypes.CDLL(_imaging.__file__)
            setters = [library.TIFFSetErrorHandler, library.TIFFSetWarningHandler]
        except (OSError, AttributeError):
            setters = []
        for set_handler in setters:
            set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
            before.callback(set_handler, set_handler(None))
        yield
