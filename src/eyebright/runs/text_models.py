"""What cannot be done with a model that reads texts."""

from __future__ import annotations

from eyebright.errors import ConfigError
from eyebright.sealed.model import SealedModel


def require_images_only(model: SealedModel, what: str) -> None:
    """Refuse a model that reads texts.

    Args:
        model: that is used.
        what: is asked for, as it stands on the command line.

    Raises:
        ConfigError: it reads texts.
    """
    if model.has_text:
        raise ConfigError(
            "{what} works on models of images. {path} reads texts beside them. Use it as it is, or train one "
            "without --text.",
            what=what,
            path=model.path,
        )
