"""Checks of the classes before training: errors and warnings."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING
from unicodedata import category, normalize

from eyebright.errors import DataError
from eyebright.runtime.compact.repeats import Repeats
from eyebright.runtime.compact.rows import values
from eyebright.text.format import listed, number
from eyebright.text.language import translate
from eyebright.types import Skipped, Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eyebright.data.manifest import Manifest, Sample

_FEW = 10
_NAMED = 10
_RANK: Mapping[Split, int] = {"train": 0, "val": 1, "test": 2}


def naming(error: DataError, skipped: Sequence[Skipped]) -> DataError:
    """Return ``error`` with notes that name the files that led to it, the first ten with their reasons."""
    for entry in skipped[:_NAMED]:
        reason = translate(entry.reason, **entry.reason_values)
        error.add_note(translate("Skipped {path}: {reason}", path=entry.path, reason=reason))
    if len(skipped) > _NAMED:
        error.add_note(translate("and {count} more", count=number(len(skipped) - _NAMED)))
    return error


def require_classes(
    counts: Mapping[Split, Mapping[str, int]], folder: Path, skipped: Sequence[Skipped] = ()
) -> None:
    """Refuse classes that no classifier can be trained on.

    Args:
        counts: images by split and class; a class without images counts 0. Training images that will be
            held out still count as training images.
        folder: the training split, for the sentences.
        skipped: files that do not count, for the notes.

    Raises:
        DataError: names equal but for case, blanks or Unicode form; classes that only validation or test
            has; fewer than two classes; classes with fewer than 2 training images, all of them listed.
    """
    train = counts["train"]
    _require_distinct({label for part in counts.values() for label in part})
    unknown = sorted({label for part in counts.values() for label in part if label not in train})
    if unknown:
        raise DataError(
            "Every class must have training images. Found only in validation or test: {classes}. Add "
            "training images, correct the folder names, or remove the folders.",
            classes=listed(unknown),
        )
    if len(train) < 2:
        raise DataError(
            "At least 2 classes are required. {folder} contains only one: {classes}. Add a folder "
            "with images of another class; to learn what these look like and find what is unlike them, use "
            "--task anomaly.",
            folder=folder,
            classes=", ".join(train),
        )
    few = [f"{label} ({count})" for label, count in sorted(train.items()) if count < 2]
    if few:
        error = DataError(
            "Every class must have at least 2 readable training images. Too few in: {classes}. Add "
            "images, or remove the folder.",
            classes=listed(few),
        )
        raise naming(error, skipped)


def require_labels(samples: Sequence[Sequence[str]], labels: Sequence[str], table: Path) -> Sequence[Skipped]:
    """Refuse labels that cannot be learned, and return warnings of those with few images.

    Args:
        samples: each training image's labels.
        labels: all that there are.
        table: for the sentences.

    Raises:
        DataError: labels are true of fewer than 2 training images or of all, all of them listed; or there is
            none.
    """
    _require_distinct(labels)
    counts = Counter(label for some in samples for label in some)
    few = [label for label in labels if not 2 <= counts[label] < len(samples)]
    if few or not labels:
        raise DataError(
            "Every label must apply to at least 2 training images, but not to all of them. In "
            "{path}, of {count:training image|training images}, these labels apply to: {labels}. Add "
            "images, or remove the labels.",
            path=table,
            count=len(samples),
            labels=listed([f"{label} ({counts[label]})" for label in few]) or "-",
        )
    return [
        Skipped(
            table.name,
            "Label {label} is hard to learn: it is true for {yes:training image|training images} and "
            "false for {no}. Add images of the rarer case.",
            {"label": label, "yes": counts[label], "no": len(samples) - counts[label]},
        )
        for label in labels
        if not _FEW <= counts[label] <= len(samples) - _FEW
    ]


def few_images(manifest: Manifest) -> list[Skipped]:
    """Return warnings of the classes with few training images, and of those with few images to evaluate.

    Labels with few training images are warned of by :func:`require_labels`.
    """
    counts = manifest.counts()
    evaluated: Split = "test" if "test" in manifest.splits else "val"
    found = []
    learned = _few_of(counts["train"])
    if learned and not manifest.task.multilabel:
        reason = "Fewer than {least} training images: {classes}. Add images of these classes."
        found.append(Skipped(".", reason, {"least": _FEW, "classes": learned}))
    evaluable = _few_of(counts[evaluated])
    if evaluable and evaluated in manifest.splits:
        reason = (
            "Fewer than {least} images to evaluate: {classes}. Nothing can be said of how well these are "
            "predicted."
        )
        found.append(Skipped(".", reason, {"least": _FEW, "classes": evaluable}))
    return found


def _few_of(counts: Mapping[str, int]) -> str:
    """Return the classes with few images and their numbers, the fewest first; empty where all have enough."""
    few = sorted((count, label) for label, count in counts.items() if count < _FEW)
    return listed([f"{label} ({count})" for count, label in few])


def with_weight(manifest: Manifest) -> Manifest:
    """Return the manifest without training images whose weight is 0: nothing is learned from them.

    Raises:
        DataError: a class has no others.
    """
    if all(values(manifest.samples, "weight")):
        return manifest
    weightless = [path for path, weight in values(manifest.of("train"), "path", "weight") if not weight]
    if not weightless:
        return manifest
    reason = "The weight of this image in training is 0, so it was left out."
    before, left = manifest.counts()["train"], manifest.without(Skipped(path, reason) for path in weightless)
    counts = left.counts()["train"]
    if gone := [label for label, count in before.items() if count and not counts.get(label)]:
        raise DataError(
            "Every class must have training images whose weight is more than 0. All weights are 0 of: "
            "{classes}. Correct them, or pass `--weight none`.",
            classes=listed(gone),
        )
    return left


def conflicts(samples: Sequence[Sample]) -> list[Skipped]:
    """Return a warning for each image that lies under several labels, naming all of its places."""
    repeats = Repeats(values(samples, "identity"), len(samples))
    first: dict[str, Sample] = {}
    rivals: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples if repeats else ():
        if sample.identity not in repeats:
            continue
        known = first.setdefault(sample.identity, sample)
        if known.label != sample.label:
            rivals[sample.identity].append(sample)
    return [_conflict(first[sha], others) for sha, others in rivals.items()]


def copies(samples: Sequence[Sample]) -> list[Skipped]:
    """Return a warning that counts the exact copies, if there are any."""
    repeats = Repeats(values(samples, "identity"), len(samples))
    several = Counter(name for name in values(samples, "identity") if name in repeats) if repeats else {}
    count = sum(several.values()) - len(several)
    if not count:
        return []
    return [
        Skipped(
            ".",
            "{count:image is an exact copy of another|images are exact copies of others}. Copies "
            "were kept in the same split.",
            {"count": count},
        )
    ]


def leaks(samples: Sequence[Sample]) -> list[Skipped]:
    """Return the samples to skip so that no image is in two splits: test wins over val, val over train."""
    repeats = Repeats(values(samples, "identity"), len(samples))
    copied = [sample for sample in samples if sample.identity in repeats] if repeats else []
    owner: dict[str, Sample] = {}
    for sample in copied:
        known = owner.setdefault(sample.identity, sample)
        if _RANK[sample.split] > _RANK[known.split]:
            owner[sample.identity] = sample
    return [_leaked(s.path, owner[s.identity].path) for s in copied if owner[s.identity].split != s.split]


def removed_leaks(manifest: Manifest) -> int:
    """Return how many images were left out because they are in another split as well."""
    reason = _leaked("", "").reason
    return sum(entry.reason == reason for entry in manifest.skipped)


def _leaked(path: str, other: str) -> Skipped:
    return Skipped(
        path, "The same image is also in another split, at {other}. It was not used here.", {"other": other}
    )


def _conflict(sample: Sample, others: Sequence[Sample]) -> Skipped:
    return Skipped(
        sample.path,
        "The same image has different labels: {label} here, and also {others}. Remove the wrong copy.",
        {"label": sample.label, "others": ", ".join(f"{other.label} ({other.path})" for other in others)},
    )


def _require_distinct(labels: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for label in sorted(labels):
        twin = seen.setdefault(_essence(label), label)
        if twin != label:
            shown = _distinguishable(twin, label)
            raise DataError(
                "Class names must differ by more than case, blanks or the encoding of characters. "
                "{first} and {second} do not. Merge the two classes, or rename one.",
                first=shown(twin),
                second=shown(label),
            )


def _essence(label: str) -> str:
    """Return what makes a name another one: not its case, blanks, or form in Unicode."""
    text = normalize("NFKC", normalize("NFKC", label).casefold())
    text = "".join(c for c in text if not c.isspace() and category(c) not in ("Cf", "Cc"))
    return re.sub(r"^(\d+)\.0+$", r"\1", text)  # as numbers are written by tables that lack some of them


def _distinguishable(first: str, second: str) -> Callable[[str], str]:
    """Return how to write two names so that their difference can be seen."""
    if first.casefold() == second.casefold():
        return str
    return ascii if normalize("NFKC", first) == normalize("NFKC", second) else repr
