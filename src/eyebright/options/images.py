"""Images as an option of the Python API: names as on the command line, or images in memory."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath
from typing import Any

from eyebright.errors import ConfigError

_BATCH = 4  # dimensions of an array of several images


def image_list(value: object) -> list[Any]:
    """Return one image, a batch or several of either as a list of names and images.

    Raises:
        ConfigError: one of them is neither.
    """
    several = [value] if isinstance(value, str) or _in_memory(value) else value
    given = list(several) if isinstance(several, Iterable) else [several]
    return [image for one in given for image in _images(one)]


def _images(one: Any) -> Iterable[Any]:
    if isinstance(one, str | PathLike):
        return [fspath(one)]
    if _in_memory(one):
        return one if getattr(one, "ndim", 0) == _BATCH else [one]
    raise ConfigError(
        "Images must be paths, folders, patterns, encoded bytes, files opened in binary mode, Pillow images "
        "or uint8 arrays of RGB pixels. Got {kind}. Convert it.",
        kind=type(one).__name__,
    )


def _in_memory(value: object) -> bool:
    """Return whether a value is an image itself; arrays and Pillow images have the array interface."""
    return isinstance(value, bytes | bytearray | memoryview) or any(
        hasattr(value, name) for name in ("read", "__array_interface__")
    )
