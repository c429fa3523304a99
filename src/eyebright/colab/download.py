"""Files from the notebook's machine to the person's."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from eyebright.runtime.context import say, showing
from eyebright.text.language import speaking
from eyebright.types import Lang
from eyebright.verbs.doctor.surroundings import surroundings


def download(*files: str | Path, lang: Lang = "en") -> None:
    """Let Colab's page save files on the person's machine; elsewhere say where they are.

    Args:
        *files: to save.
        lang: of what is said.
    """
    if surroundings().kind == "colab":
        for file in files:
            import_module("google.colab.files").download(str(file))
        return
    with speaking(lang), showing(None):
        for file in files:
            say("The file is {path}.", path=file)
