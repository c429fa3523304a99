"""Declare `eyebright demo`: train on real images, to see what comes out."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="demo",
    summary="Train on real photos of textile defects (requires the demo extra).",
    file=True,
)
