"""Classes that are renamed, merged or removed, and what becomes of the labels of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from eyebright.data.manifest import JOINT, Manifest, Sample, joined
from eyebright.errors import ConfigError, DataError, nearest
from eyebright.text.format import listed

_SAME = "="
_AND = ","


@dataclass(frozen=True)
class ClassEdits:
    """New names of a run's classes.

    Attributes:
        names: the new name of each renamed or merged class.
        removed: classes that go with their images.
        texts: the edits as they were asked for, such as ``glass=bottle``.
    """

    names: Mapping[str, str]
    removed: frozenset[str]
    texts: Sequence[str]

    def __bool__(self) -> bool:
        """Return whether there is anything to change."""
        return bool(self.names or self.removed)

    def renamed(self, label: str) -> str | None:
        """Return what a class is called now; None where it was removed."""
        return None if label in self.removed else self.names.get(label, label)

    def labels(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Return the names of classes after the edits, in their order."""
        return tuple(sorted({new for label in labels if (new := self.renamed(label)) is not None}))

    def applied(self, manifest: Manifest) -> Manifest:
        """Return a manifest with the new names, without the images of removed classes."""
        if not self:
            return manifest
        changed = (self._changed(sample, manifest.task.multilabel) for sample in manifest.samples)
        label_set = None if manifest.label_set is None else self.labels(manifest.label_set)
        samples = tuple(sample for sample in changed if sample is not None)
        return replace(manifest, samples=samples, label_set=label_set)

    def _changed(self, sample: Sample, multilabel: bool) -> Sample | None:
        if multilabel:
            return replace(sample, label=joined(self.labels(sample.labels)))
        label = self.renamed(sample.label)
        return None if label is None else replace(sample, label=label)


def class_edits(
    rename: Sequence[str], merge: Sequence[str], remove: Sequence[str], labels: Sequence[str]
) -> ClassEdits:
    """Return the edits that options ask for, once they are found to fit the classes of a run.

    Args:
        rename: each ``OLD=NEW``.
        merge: each ``A,B=C``.
        remove: names of classes.
        labels: of the run.

    Raises:
        ConfigError: an option is not of its form, names a class that is not there or one that is already.
    """
    renames = [("--rename", text, *_parted("--rename", text)) for text in rename]
    merges = [("--merge", text, *_parted("--merge", text)) for text in merge]
    pairs = [(option, text, [old], new) for option, text, old, new in renames]
    pairs += [(option, text, _several(text, old), new) for option, text, old, new in merges]
    asked = [old for *_, olds, _ in pairs for old in olds] + list(remove)
    _require_known(asked, labels)
    if twice := [label for label, count in Counter(asked).items() if count > 1]:
        raise ConfigError(
            "A class must be renamed, merged or removed only once. More than once: {labels}. Remove all but "
            "one.",
            labels=listed(twice),
        )
    kept = set(labels) - set(asked)
    for option, text, olds, new in pairs:
        _require_free(option, text, new, olds, kept)
        kept.add(new)
    return ClassEdits(
        {old: new for *_, olds, new in pairs for old in olds},
        frozenset(remove),
        (*rename, *merge, *(f"- {label}" for label in remove)),
    )


def require_not_removed(manifest: Manifest, edits: ClassEdits) -> None:
    """Refuse new images of a class that is to be removed.

    Raises:
        DataError: there are some.
    """
    counts = Counter(label for sample in manifest.samples for label in sample.label.split(JOINT))
    if both := sorted(edits.removed & counts.keys()):
        raise DataError(
            "A class must be either removed or given new images. {path} has {count:image|images} of {label}, "
            "which --remove names. Remove the option, or the images.",
            path=manifest.root,
            count=counts[both[0]],
            label=both[0],
        )


def _parted(option: str, text: str) -> tuple[str, str]:
    old, same, new = (part.strip() for part in text.partition(_SAME))
    form = "OLD=NEW" if option == "--rename" else "A,B=C"
    if not (old and same and new) or _SAME in new:
        raise ConfigError(
            "{option} must have the form {form}. Got {text}. Write the names of classes on both sides of one "
            "equals sign.",
            option=option,
            form=form,
            text=text,
        )
    if JOINT.strip() in new or "/" in new or "\\" in new:
        raise ConfigError(
            "The name of a class must not contain a slash, a backslash or a semicolon. Got {name}. Choose "
            "another name.",
            name=new,
        )
    return old, new


def _several(text: str, names: str) -> list[str]:
    found = [name.strip() for name in names.split(_AND)]
    if len(found) < 2 or not all(found):
        raise ConfigError(
            "--merge must name at least two classes before the equals sign, with commas between them. Got "
            "{text}. Name them all, or use --rename.",
            text=text,
        )
    return found


def _require_known(asked: Sequence[str], labels: Sequence[str]) -> None:
    if unknown := [label for label in asked if label not in labels]:
        raise ConfigError(
            "Only classes of the run can be renamed, merged or removed. {label} is none of them. The closest "
            "are: {nearest}.",
            label=unknown[0],
            nearest=nearest(unknown[0], labels),
        )


def _require_free(option: str, text: str, new: str, olds: Sequence[str], kept: set[str]) -> None:
    """Refuse a new name that another class has."""
    if new in kept:
        raise ConfigError(
            "A new name must not be that of another class. {option} {text} would give two classes the name "
            "{name}. To join them, use --merge {classes}.",
            option=option,
            text=text,
            name=new,
            classes=f"{_AND.join(dict.fromkeys([*olds, new]))}{_SAME}{new}",
        )
