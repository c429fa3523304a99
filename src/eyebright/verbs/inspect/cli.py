"""Declare `eyebright inspect`: what a file is, where it comes from, and whether it was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.table import json_text
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.inspect.options import InspectConfig
    from eyebright.verbs.inspect.result import Inspection


def _show(found: Inspection, config: InspectConfig) -> int:
    print(json_text(found.to_json(), indent=2) if config.json_ else found)
    return 0 if found.untouched and found.parent != "other" else 1


VERB = Verb(
    name="inspect",
    summary="Show what a model file or export is, where it comes from, and whether it was changed.",
    show=_show,
    notes=(
        "Exit status: 0 if the files are as they were written, as far as their hashes are known; 1 "
        "if a file was changed or is missing, or if the run of an export has another model by now."
    ),
)
