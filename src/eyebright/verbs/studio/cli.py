"""Declare `eyebright studio`."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="studio",
    summary="Label, train, review and try models on a page in the browser.",
    notes=(
        "Open the address that is printed; its token is asked for once. Nothing is sent anywhere else. "
        "Ctrl-C ends the studio; labels are on disk as soon as they are given."
    ),
    file=True,
)
