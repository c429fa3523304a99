"""Declare `eyebright pull`: get a run that was shared."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="pull",
    summary="Get a run that was shared with `eyebright push`, and check every file.",
    notes=(
        "Every file is compared with its hash before it gets its name, and metrics.json is written last; a "
        "pull that was interrupted goes on. The hashes show damage, not who pushed the run. Exit status: 0."
    ),
    file=True,
)
