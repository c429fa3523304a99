"""Declare `eyebright compare`: which of several runs is better on the same images, if any is."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="compare",
    summary="Compare runs on the images that all of them evaluated.",
    notes=(
        "Differences are the later run minus the earlier one. A run is called better only if the "
        "difference is significant: p, adjusted for the number of pairs, below 0.05."
    ),
    file=True,
)
