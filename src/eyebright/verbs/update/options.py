"""The options of `eyebright update`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.decisions import DecisionConfig
from eyebright.options.fields import FixesFile, Out, Overwrite, ReportLang
from eyebright.options.marks import Metavar, Positional


class UpdatedConfig(Config):
    """Which run is updated with what."""

    run: Path = Field(description="Run of `eyebright train` to update; it stays as it is.")
    data: Annotated[Path | None, Positional()] = Field(
        None,
        description=(
            "New images, from any source that `eyebright train` reads. A new name is a new class; an image "
            "that the run has gets the label that it has here."
        ),
    )
    out: Out = None
    overwrite: Overwrite = False
    rename: Annotated[list[str], Metavar("OLD=NEW")] = Field([], description="Rename a class of the run.")
    merge: Annotated[list[str], Metavar("A,B=C")] = Field(
        [], description="Merge classes of the run into one, which may be one of them."
    )
    remove: Annotated[list[str], Metavar("CLASS")] = Field(
        [], description="Remove a class of the run with its images."
    )
    fixes: FixesFile = None
    lang: ReportLang = "en"


# Fields come in the order of the bases read from the right: what is updated first.
class UpdateConfig(DecisionConfig, ColumnsConfig, UpdatedConfig):
    """Options of `eyebright update`; every field is also a command-line option and a TOML key."""
