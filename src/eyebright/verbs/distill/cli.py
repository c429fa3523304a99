"""Declare `eyebright distill`: a model teaches a smaller backbone."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="distill",
    summary="Distil a model into a smaller one.",
    notes=(
        "This is a training with a teacher. For all other options, use `eyebright train --teacher "
        "MODEL`; to continue an interrupted run, use `eyebright train --resume RUN`."
    ),
    file=True,
)
