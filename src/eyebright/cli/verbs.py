"""The verbs there are, each declared in its own folder."""

from __future__ import annotations

from importlib import import_module

from eyebright.verbs.verb import Verb

#: In the order of the help; each has a folder of its name (with underscores) in `eyebright/verbs`.
NAMES = (
    "audit",
    "data",
    "pretrain",
    "train",
    "tune",
    "update",
    "suggest",
    "evaluate",
    "compare",
    "predict",
    "embed",
    "zero-shot",
    "monitor",
    "explain",
    "serve",
    "export",
    "distill",
    "prune",
    "shrink",
    "inspect",
    "benchmark",
    "runs",
    "push",
    "pull",
    "models",
    "cache",
    "doctor",
    "studio",
    "demo",
)


def all_verbs() -> tuple[Verb, ...]:
    """Return the verbs in the order of the help."""
    return tuple(load_verb(name) for name in NAMES)


def load_verb(name: str) -> Verb:
    """Return the verb ``name``; only its own declaration is imported."""
    found: Verb = import_module(f"eyebright.verbs.{name.replace('-', '_')}.cli").VERB
    return found
