"""Declare `eyebright suggest`: which images to label next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.suggest.options import SuggestConfig
    from eyebright.verbs.suggest.suggest import Suggested


def _show(found: Suggested, config: SuggestConfig) -> int:
    match config.format:
        case "csv":
            found.write_csv(sys.stdout)
        case "html":
            print(found.page(), end="")
        case _:
            print(f"\n{found}")
    return 0


VERB = Verb(
    name="suggest",
    summary="Say which images to label next, why, and what they are expected to bring.",
    show=_show,
    notes=(
        "The CSV is a review queue for `eyebright studio --queue`. Suggested images are no random sample: "
        "add them to the training images, and keep the test images as they are."
    ),
    file=True,
)
