"""Declare `eyebright serve`."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="serve",
    summary="Serve models over HTTP.",
    notes=(
        "POST an image to /predict; /openapi.json describes all addresses. A line of JSON per request goes "
        "to standard output. SIGTERM and Ctrl-C end the service after what it accepted is answered; the "
        "exit status is then 0."
    ),
    file=True,
)
