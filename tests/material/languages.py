"""Texts in Chinese."""

from __future__ import annotations

from typing import Protocol

from eyebright.text.language import speaking


class Spoken(Protocol):
    def text(self) -> str:
        """Return the text in the current language."""


def chinese(spoken: Spoken) -> str:
    with speaking("zh"):
        return spoken.text()
