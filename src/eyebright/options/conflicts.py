"""Options that exclude one another."""

from __future__ import annotations

from collections.abc import Mapping


def named(given: Mapping[str, bool]) -> str:
    """Return the options that were given, with commas between them; nothing where none was.

    Args:
        given: of each option, as it is typed, whether it was given.
    """
    return ", ".join(name for name, there in given.items() if there)
