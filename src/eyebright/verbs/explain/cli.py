"""Declare `eyebright explain`: which parts of an image a prediction is based on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.explain.explain import Explanations
    from eyebright.verbs.explain.options import ExplainConfig


def _show(found: Explanations, config: ExplainConfig) -> int:
    from eyebright.runtime.context import progress

    for skipped in found.skipped:
        reason = translate(skipped.reason, **skipped.reason_values)
        progress().say(f"{printable(skipped.path)}: {reason}")
    print(found)
    return 1 if found.skipped else 0


VERB = Verb(
    name="explain",
    summary="Show which parts of an image a prediction is based on.",
    show=_show,
    notes=(
        "Writes one picture per image, and index.html with all of them: orange counts for the class, "
        "blue against it. Exit status: 0 if every image was read, 1 if any was skipped."
    ),
    file=True,
)
