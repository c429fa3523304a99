"""Errors whose sentence says what must hold, what was got, and what to do.

Every error keeps its English template and the values apart, so that the same error can be told in Chinese.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from eyebright.text.language import english, translate

if TYPE_CHECKING:
    from collections.abc import Iterable


class EyebrightError(Exception):
    """Base of all errors that Eyebright raises on purpose.

    Args:
        template: English sentences with ``{name}`` placeholders: what must hold. What was got. What to do.
        **values: the placeholders' values.
    """

    def __init__(self, template: str, **values: object) -> None:
        self.template = template
        self.values = values
        super().__init__(english(template, **values))

    def text(self) -> str:
        """Return the error's sentences in the current language; ``str(error)`` is always English."""
        return translate(self.template, **self.values)


class DataError(EyebrightError, ValueError):
    """The images or their labels cannot be used as they are."""


class ImageError(EyebrightError, ValueError):
    """One image cannot be read; it is listed and skipped, never replaced."""


class ImageSizeError(ImageError):
    """An image is too large, so that it was not decoded."""


class ConfigError(EyebrightError, ValueError):
    """An option has a name or a value that cannot be."""


class ModelError(EyebrightError, ValueError):
    """A file is not a sealed model, or was not made by Eyebright."""


class NotFoundError(EyebrightError, FileNotFoundError):
    """A path that was given does not exist."""


class ClusterError(EyebrightError, RuntimeError):
    """The workers of a cluster cannot do the work."""


class TrainingError(EyebrightError, RuntimeError):
    """Training broke off and left no better model than the one it began with."""


class MissingExtraError(EyebrightError, ImportError):
    """A package of an extra is not installed."""


class StorageError(EyebrightError, OSError):
    """The disk is full or may not be written."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return the known names most like ``name``, as text for the end of an error.

    All of them when none is near.
    """
    names = sorted(known)
    folded = {n.casefold(): n for n in names}
    close = [folded[m] for m in get_close_matches(name.casefold(), folded, n=count, cutoff=0.5)]
    return ", ".join(close or names[:10])
