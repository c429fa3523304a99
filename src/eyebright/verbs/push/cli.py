"""Declare `eyebright push`: share a run with others."""

from __future__ import annotations

from eyebright.verbs.verb import Verb

VERB = Verb(
    name="push",
    summary="Share a run: to the Hugging Face hub, a bucket or a folder.",
    notes=(
        "Pushed are the model, its card, labels, metrics, certificates of exports and the report. Images are "
        "not, and their names only with --include or in the report. Tokens come from HF_TOKEN or `hf auth "
        "login`, keys of buckets from the environment. Exit status: 0."
    ),
    file=True,
)
