"""Features on Drive: computed once, whatever machine computes them; pixels and graphs are made anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter

from eyebright.colab.drive_folder import DriveFolder
from eyebright.colab.mirror import Mirror
from eyebright.runtime.stored import read_json
from eyebright.training.cache.store import CARD, FEATURES
from eyebright.types import StoredJson

_PREFIX = "features."
_CARD: TypeAdapter[StoredJson] = TypeAdapter(StoredJson)
# What was chosen before must be chosen again: another engine's features differ in their last digits.
_CHOICES = ("engines", "choices")


def use_cache(folder: Path) -> None:
    """Let all that follows keep its features in a folder, unless the user has named one."""
    os.environ.setdefault("EYEBRIGHT_CACHE", str(folder))


class FeatureMirrors:
    """The cache's folders that are worth copying, each mirrored.

    Args:
        drive: the folder on Drive.
        cache: the local cache.
    """

    def __init__(self, drive: DriveFolder, cache: Path) -> None:
        self._drive, self._cache = drive, cache
        self._mirrors: dict[str, Mirror] = {}

    def mirrors(self) -> list[Mirror]:
        """Return what to bring to Drive now."""
        return [self._mirror(name) for name in self._worth_it()]

    def restore(self) -> None:
        """Take back what Drive has."""
        for folder in self._drive.folders():
            if folder.startswith(_PREFIX):
                self._mirror(folder.removeprefix(_PREFIX)).restore()

    def _worth_it(self) -> Iterator[str]:
        if self._cache.is_dir():
            for folder in sorted(path for path in self._cache.iterdir() if path.is_dir()):
                if folder.name in _CHOICES or _kind(folder) == FEATURES:
                    yield folder.name

    def _mirror(self, name: str) -> Mirror:
        if name not in self._mirrors:
            self._mirrors[name] = Mirror(self._drive, _PREFIX + name, self._cache / name)
        return self._mirrors[name]


def _kind(folder: Path) -> object:
    """Return what the rows of a folder of the cache are; None where it holds no rows."""
    try:
        card = read_json(_CARD, folder / CARD)
    except (OSError, ValueError):
        return None
    return card.get("kind", FEATURES)
