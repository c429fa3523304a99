"""One thing that `doctor` tells about the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fact:
    """One thing about the machine.

    Attributes:
        key: the same in every language.
        title: its name, for a person.
        text: its value, for a person.
        value: its value, for a program: text, numbers (bytes where they count memory), lists, or None.
        state: ``ok``, ``missing``, or ``note`` for what is neither good nor bad.
        command: installs what is missing.
    """

    key: str
    title: str
    text: str
    value: object
    state: Literal["ok", "missing", "note"] = "ok"
    command: str | None = None
