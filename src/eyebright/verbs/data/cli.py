"""Declare `eyebright data`: labelled images in another format."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="data",
    summary="Convert labelled images to another format, with fixes applied: data convert DATA.",
    notes="Images keep their bytes, so cached features are found again. croissant.json describes the files.",
)
