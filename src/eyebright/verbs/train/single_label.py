"""What cannot be done yet where an image may have several labels."""

from __future__ import annotations

from eyebright.errors import ConfigError


def require_one_label(several: bool, what: str) -> None:
    """Refuses data or a model of several labels an image.

    Args:
        several: whether an image may have several.
        what: was asked for, as it stands on the command line.

    Raises:
        ConfigError: it may.
    """
    if several:
        raise ConfigError(
            "{what} requires single-label data. Here an image may have several labels. Do without "
            "it; to shrink a multi-label model, use `eyebright export --int8`.",
            what=what,
        )
