"""What a notebook falls back on: real photographs of a package, and the backbone inside Eyebright."""

from __future__ import annotations

import shutil
from pathlib import Path

from eyebright.backbones import embedded
from eyebright.backbones.catalog import load
from eyebright.backbones.zoo.hub import HubError
from eyebright.errors import MissingExtraError
from eyebright.runtime.context import say, showing
from eyebright.text.language import speaking
from eyebright.types import Lang
from eyebright.verbs.demo.demo import demo_images


def demo_photos(folder: str | Path, each: int = 500) -> Path:
    """Copy the demo's photographs of woven textile into class folders, the same ones each time.

    Args:
        folder: to write; what is in it is kept.
        each: the most images of a class.

    Returns:
        The folder.

    Raises:
        MissingExtraError: the package with the photographs is not installed.
    """
    target = Path(folder)
    for source in sorted(path for path in demo_images().iterdir() if path.is_dir()):
        (target / source.name).mkdir(parents=True, exist_ok=True)
        for file in sorted(source.glob("*.jpg"))[:each]:
            if not (target / source.name / file.name).is_file():
                shutil.copyfile(file, target / source.name / file.name)
    return target


def backbone_or_embedded(name: str, *, lang: Lang = "en") -> str:
    """Return a backbone's name, or that of the embedded one where its published weights cannot be had.

    Args:
        name: as `eyebright.train` takes it.
        lang: of the sentence that says so.

    Raises:
        ConfigError: there is no such backbone.
    """
    if name == embedded.NAME:
        return name
    try:
        load(name)
    except (HubError, MissingExtraError) as error:
        with speaking(lang), showing(None):
            say(
                "{name} cannot be had here: {reason} This notebook goes on with {embedded}, and its figures "
                "are of that.",
                name=name,
                reason=error.text(),
                embedded=embedded.NAME,
            )
        return embedded.NAME
    return name
