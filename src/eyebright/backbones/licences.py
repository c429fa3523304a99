"""Licences of weights: who published which under what, and which forbid commercial use."""

from __future__ import annotations

import re

from eyebright.errors import ConfigError
from eyebright.types import LicenceUse

#: Beginnings of names of families whose files do not say their licence themselves, from their model cards.
_FAMILIES = {
    "facebook/metaclip": "CC-BY-NC-4.0",
    "jinaai/jina-clip-v2": "CC-BY-NC-4.0",
    "apple/": "apple-amlr",
    "google/siglip": "Apache-2.0",
    "laion/": "MIT",
}
#: Beginnings of open_clip's tags, each for what one group trained.
_TAGS = {
    "metaclip": "CC-BY-NC-4.0",
    "dfn": "apple-amlr",
    "mobileclip": "apple-amlr",
    "laion": "MIT",
    "datacomp": "MIT",
    "commonpool": "MIT",
    "webli": "Apache-2.0",
}
_FORBIDDING = re.compile(r"(^|[^a-z])nc([^a-z]|$)|non-?commercial|amlr|research", re.IGNORECASE)


def licence_of_repository(name: str) -> str:
    """Return the licence of a hub's repository by its family, "unknown" where it is of none."""
    return _by_beginning(name, _FAMILIES)


def licence_of_tag(tag: str) -> str:
    """Return the licence of open_clip's weights by their tag, "unknown" where nobody said."""
    return _by_beginning(tag, _TAGS)


def require_use(name: str, licence: str, use: LicenceUse) -> None:
    """Refuse weights whose licence forbids commercial use, unless any licence will do.

    Args:
        name: of the backbone, for the error.
        licence: SPDX identifier, or what the publisher wrote; an unknown one is let through.
        use: what the user asked for.

    Raises:
        ConfigError: the licence forbids it.
    """
    if use == "commercial" and _FORBIDDING.search(licence):
        raise ConfigError(
            "Weights must be free for commercial use unless told otherwise. The licence of {name} is "
            "{licence}. Choose another backbone, or add --licence any where you may use it.",
            name=name,
            licence=licence,
        )


def _by_beginning(name: str, known: dict[str, str]) -> str:
    lower = name.lower()
    return next((licence for start, licence in known.items() if lower.startswith(start)), "unknown")
