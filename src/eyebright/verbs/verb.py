"""What a verb of the command line is: a name, its options, and a function to call with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyebright.options.base import Config


@dataclass(frozen=True)
class Verb:
    """One verb; its heavy imports happen inside ``config`` and ``run``.

    Attributes:
        name: what the person types.
        summary: one English sentence for the list of verbs.
        config: gives the class whose fields are the verb's options.
        run: does the work, prints, and gives the exit status.
        notes: an English paragraph under the options.
        file: whether the options may also come from a TOML file.
    """

    name: str
    summary: str
    config: Callable[[], type[Config]]
    run: Callable[[Any], int]
    notes: str = ""
    file: bool = False
