"""Declare `eyebright prune`: a model with fewer channels, taught by the model that it was."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="prune",
    summary="Remove the least important channels of a model and retrain it with the original as teacher.",
    file=True,
)
