"""Messages of every verb that makes or measures a run, and the command line that repeats it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from eyebright.data.manifest import SPLITS, Manifest
from eyebright.options.base import Config
from eyebright.runtime.context import progress, say
from eyebright.sealed.model import SealedModel
from eyebright.text.format import split_name
from eyebright.text.language import translate
from eyebright.types import Skipped

_LISTED = 10


def say_found(manifest: Manifest) -> None:
    """Say what the data holds, what was skipped, and every warning."""
    counts = {split: len(manifest.of(split)) for split in SPLITS}
    if manifest.facts is not None and manifest.facts.folds:
        say(
            "Found {classes:class|classes} and {count:image|images}, each to be evaluated in one of {folds} "
            "folds.",
            classes=len(manifest.labels),
            count=len(manifest.samples),
            folds=manifest.facts.folds,
        )
    elif counts["train"]:
        say(
            "Found {classes:class|classes}. Images: {train} for training, {val} for validation, {test} "
            "for testing.",
            classes=len(manifest.labels),
            **counts,
        )
    else:
        say(
            "Found {classes:class|classes} and {count:image|images} to evaluate.",
            classes=len(manifest.labels),
            count=len(manifest.samples),
        )
    if manifest.facts is not None:
        for split, period in manifest.facts.periods.items():
            say(
                "Taken from {first} to {last}: {split}.",
                split=split_name(split),
                first=period.first,
                last=period.last,
            )
        periods = list(manifest.facts.periods.values())
        if any(later.first <= earlier.last for earlier, later in pairwise(periods)):
            say("Images that belong together stay in the split of the newest one, so these times overlap.")
    say_skipped(manifest.skipped)
    for entry in manifest.warnings[:_LISTED]:
        say_warning(entry)
    _say_rest(len(manifest.warnings))


def say_warning(entry: Skipped) -> None:
    """Say what is noted of a file, or of the images as a whole where its path is a dot."""
    reason = translate(entry.reason, **entry.reason_values)
    if entry.path == ".":
        say("Warning: {reason}", reason=reason)
    else:
        say("Warning: {path}: {reason}", path=entry.path, reason=reason)


def say_skipped(entries: Sequence[Skipped]) -> None:
    """Say which files were skipped and why, the first ten by name."""
    for entry in entries[:_LISTED]:
        reason = translate(entry.reason, **entry.reason_values)
        say("Skipped {path}: {reason}", path=entry.path, reason=reason)
    _say_rest(len(entries))


def _say_rest(count: int) -> None:
    if count > _LISTED:
        text = translate("and {count} more; metrics.json lists them all.", count=count - _LISTED)
        progress().say(text)


def say_decisions_dropped(original: SealedModel, model: Path) -> None:
    """Say that a new model lacks the operating points or costs of the one that it was made from, if so."""
    if original.decisions.changed and not SealedModel(model).decisions.changed:
        say(
            "The operating points and costs of {path} were not carried over: the new model predicts "
            "the class with the highest probability. To check them on the new model, run `eyebright "
            "evaluate` with --target and --cost.",
            path=original.path,
        )


def command(verb: str, config: Config, positional: Sequence[str]) -> str:
    """Return the command line that does the same again, from the beginning."""
    words = ["eyebright", verb, *(str(getattr(config, name)) for name in positional)]
    for name in sorted(config.model_fields_set.difference(positional, ("resume",))):
        words += _as_words(name.replace("_", "-"), getattr(config, name))
    return shlex.join(words)


def _as_words(option: str, value: object) -> list[str]:
    """Return one option with its value: flags have none, and lists are given one by one."""
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    values = value if isinstance(value, list) else [value]
    return [word for one in values for word in (f"--{option}", str(one))]
