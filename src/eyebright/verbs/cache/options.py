"""The options of `eyebright cache`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.fields import MessageLang

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)


def size_bytes(text: object) -> int:
    """Return the bytes of a size such as ``500MB``, ``1.5 GiB`` or ``0``.

    Raises:
        ConfigError: ``text`` is not a size.
    """
    match = _SIZE.fullmatch(str(text).strip())
    if match is None or (match[3] and not match[2]):
        raise ConfigError(
            "A size must be a number with a unit, such as 500MB or 2GB. Got {text}.", text=repr(text)
        )
    unit = _UNITS[match[2].upper()]
    if match[3]:
        unit = 1024 ** list(_UNITS.values()).index(unit)
    return int(float(match[1]) * unit)


class CacheConfig(Config):
    """Options of `eyebright cache`."""

    trim: Annotated[int, BeforeValidator(size_bytes)] | None = Field(
        None,
        description=(
            "Remove the least recently used entries until the cache is at most this size (500MB, 2GB)."
        ),
    )
    clear: bool = Field(False, description="Remove everything in the cache.")
    lang: MessageLang = "en"
