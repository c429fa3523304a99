"""Declare `eyebright update`: new images, new classes and corrections for a finished run."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="update",
    summary="Update a trained model with new images, new classes or corrected labels, in seconds.",
    notes=(
        "Input size, feature layers and engine are kept from the run; only the head is solved again. Images "
        "of the run keep their split, and new ones are split in the same proportions."
    ),
    file=True,
)
