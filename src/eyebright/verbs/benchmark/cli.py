"""Declare `eyebright benchmark`: how fast models run on this machine."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="benchmark",
    summary="Measure the speed of models and exports on this machine.",
    file=True,
)
