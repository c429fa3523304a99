"""Declare `eyebright embed`: the features of images, and which are most alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.embed.options import EmbedConfig
    from eyebright.verbs.embed.result import Embeddings


def _show(found: Embeddings, config: EmbedConfig) -> int:
    print(f"\n{found}")
    for one in found.skipped:
        reason = translate(one.reason, **one.reason_values)
        print(f"{printable(one.path)}: {reason}", file=sys.stderr)
    return 1 if found.skipped else 0


VERB = Verb(
    name="embed",
    summary="Compute the features of images, and find those that are most alike.",
    show=_show,
    notes=(
        "Features are cached: only new images are computed. Exit status: 0 if every image was read, 1 if any "
        "was skipped."
    ),
    file=True,
)
