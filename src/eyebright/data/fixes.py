"""Fixes: what is to be changed about images and labels, applied to the manifest and never to files.

A row names an image by its path, as the manifest has it, an action and, where the action needs one, a value:

* ``drop``: leave the image out;
* ``keep_one``: leave the image out, because the one named as value stays;
* ``relabel``: the value is its label, or its labels joined by "; ";
* ``move``: the value is its split: train, val or test;
* ``group``: the value is its group; images of one group stay in one split;
* ``not_a_problem``: an answered question. The value is the kind of finding, nothing for every kind. The path
  "." answers for all images.

A row without an action is an open question, and changes nothing.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from eyebright.data.manifest import SPLITS, Manifest, Sample, joined
from eyebright.data.table.delimited import parse_delimited
from eyebright.errors import DataError, nearest
from eyebright.runtime.atomic import write_text
from eyebright.types import Skipped, Split

#: The file's name in an audit and in a run.
FIXES = "fixes.csv"
COLUMNS = ("image", "action", "value", "reason")
ACTIONS = ("drop", "keep_one", "relabel", "move", "group", "not_a_problem")
#: Stands for all images, in a row that answers a question about them.
EVERYTHING = "."
#: The reason of images that fixes leave out.
LEFT_OUT = "Left out by the fixes ({action})."
_ANSWER = "not_a_problem"
_LEAVING_OUT = ("drop", "keep_one")
_NEEDS_VALUE = ("keep_one", "relabel", "move", "group")


@dataclass(frozen=True)
class Fix:
    """One row: a path, an action (empty for an open question), its value and the reason."""

    image: str
    action: str
    value: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Fixes:
    """The rows of the file ``name``."""

    rows: Sequence[Fix]
    name: str = FIXES

    @cached_property
    def answered(self) -> frozenset[tuple[str, str]]:
        """Return the answered questions: a path and a kind of finding, or "" for every kind."""
        return frozenset((fix.image, fix.value) for fix in self.rows if fix.action == _ANSWER)

    def answers(self, kind: str, images: Sequence[str]) -> bool:
        """Return whether a finding of ``kind`` on ``images`` was answered: for all of them, or in general."""
        return self._answered(EVERYTHING, kind) or (
            bool(images) and all(self._answered(path, kind) for path in images)
        )

    def _answered(self, image: str, kind: str) -> bool:
        return bool({(image, kind), (image, "")} & self.answered)

    def applied(self, manifest: Manifest) -> Manifest:
        """Return ``manifest`` with every fix; what was left out, and a count of it all, stands in its notes.

        Raises:
            DataError: two fixes contradict each other, a group of copies would vanish, or an image would get
                a label that no other has.
        """
        paths, unread = ({entry.path for entry in some} for some in (manifest.samples, manifest.skipped))
        changes = [fix for fix in self.rows if fix.action not in ("", _ANSWER)]
        known = [fix for fix in changes if fix.image in paths]
        by_image = _by_image(known)
        left_out = _left_out(known, paths)
        wanted = {image: some for image, some in by_image.items() if image not in left_out}
        _require_known_labels(wanted, manifest)
        samples = tuple(
            _changed(sample, wanted.get(sample.path, {}), manifest)
            for sample in manifest.samples
            if sample.path not in left_out
        )
        labels = manifest.label_set
        if labels is not None:
            labels = tuple(sorted({*labels, *(label for sample in samples for label in sample.labels)}))
        skipped = [Skipped(path, LEFT_OUT, {"action": action}) for path, action in left_out.items()]
        counts = Counter(action for some in wanted.values() for action in some)
        counts.update(left_out.values())
        return replace(
            manifest,
            samples=samples,
            skipped=(*manifest.skipped, *skipped),
            warnings=(
                *manifest.warnings,
                *self._notes(counts, {fix.image for fix in changes} - paths - unread),
            ),
            label_set=labels,
        )

    def _notes(self, counts: Counter[str], unknown: set[str]) -> list[Skipped]:
        """Return what was changed, what is not there, and what is still open."""
        changed = ", ".join(f"{action} {counts[action]}" for action in ACTIONS if counts[action])
        notes = [
            Skipped(self.name, "Fixes applied, images by action: {changes}.", {"changes": changed or "0"})
        ]
        if unknown:
            reason = "{count:image of the fixes is|images of the fixes are} not in the data, such as {path}."
            notes.append(Skipped(self.name, reason, {"count": len(unknown), "path": min(unknown)}))
        if still := sum(not fix.action for fix in self.rows):
            reason = "{count:row has|rows have} no action: open questions, which change nothing."
            notes.append(Skipped(self.name, reason, {"count": still}))
        return notes


def read_fixes(path: Path) -> Fixes:
    """Read a file of fixes: a table as any other, but it may be empty, and rows may end early.

    Raises:
        NotFoundError: ``path`` does not exist.
        DataError: it is no such file; the first wrong line is named.
    """
    table = parse_delimited(path)
    names = [name.casefold() for name in table.header]
    _require_columns(path, names)
    rows = zip(table.lines, table.rows, strict=True)
    return Fixes([_read(path, line, names, cells) for line, cells in rows], path.name)


def write_fixes(path: Path, fixes: Iterable[Fix]) -> None:
    """Write fixes as CSV, atomically; :func:`read_fixes` reads it back.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((fix.image, fix.action, fix.value, fix.reason) for fix in fixes)
    write_text(path, buffer.getvalue())


def _require_columns(path: Path, names: Sequence[str]) -> None:
    if missing := [name for name in COLUMNS[:2] if name not in names]:
        raise DataError(
            "A file of fixes must have the columns image and action, and may have value and reason. {path} "
            "lacks: "
            "{missing}. Its first line names: {names}. Correct the first line.",
            path=path,
            missing=", ".join(missing),
            names=", ".join(names) or "-",
        )


def _read(path: Path, line: int, names: Sequence[str], cells: Sequence[str]) -> Fix:
    row = dict(zip(names, cells, strict=False))
    fix = Fix(*(row.get(name, "") for name in COLUMNS))
    action = fix.action.casefold().replace(" ", "_").replace("-", "_")
    if action and action not in ACTIONS:
        raise DataError(
            "The action of a fix must be one of {known}, or empty for an open question. Line {line} of "
            "{path} has "
            "{action}; the closest is {nearest}. Correct it.",
            known=", ".join(ACTIONS),
            line=line,
            path=path,
            action=fix.action,
            nearest=nearest(action, ACTIONS, 1),
        )
    if not fix.image or (action in _NEEDS_VALUE and not fix.value) or len(cells) > len(names):
        raise DataError(
            "Each fix must name an image and, with {needing}, a value, and have no further cells. Line "
            "{line} of "
            "{path} does not: {image}, {action}. Complete or delete it.",
            needing=", ".join(_NEEDS_VALUE),
            line=line,
            path=path,
            image=fix.image or "-",
            action=action or "-",
        )
    if action == "move" and fix.value not in SPLITS:
        raise DataError(
            "An image must be moved to train, val or test. Line {line} of {path} names {value}. Correct it.",
            line=line,
            path=path,
            value=fix.value,
        )
    return replace(fix, action=action)


def _by_image(fixes: Sequence[Fix]) -> dict[str, dict[str, str]]:
    """Return the value of each action by image."""
    wanted: dict[str, dict[str, str]] = {}
    for fix in fixes:
        known = wanted.setdefault(fix.image, {}).setdefault(fix.action, fix.value)
        if fix.action not in _LEAVING_OUT and known != fix.value:
            raise DataError(
                "The fixes of an image must agree. {image} has {action} with both {first} and {second}. "
                "Delete one "
                "of the rows.",
                image=fix.image,
                action=fix.action,
                first=known,
                second=fix.value,
            )
    return wanted


def _left_out(fixes: Sequence[Fix], paths: set[str]) -> dict[str, str]:
    """Return the action by which images are left out, by their paths."""
    found = {fix.image: fix.action for fix in fixes if fix.action in _LEAVING_OUT}
    for fix in fixes:
        if fix.action == "keep_one" and (fix.value not in paths or fix.value in found):
            raise DataError(
                "An image that is kept in place of its copies must be in the data and must not be left out. "
                "{image} is to be left out because {value} stays, which does not. Name another, or delete "
                "the row.",
                image=fix.image,
                value=fix.value,
            )
    return found


def _labels(text: str) -> set[str]:
    """Return the labels that a value names for an image that may have several."""
    return {label for part in text.split(";") if (label := part.strip())}


def _require_known_labels(fixes: Mapping[str, Mapping[str, str]], manifest: Manifest) -> None:
    """Refuse a label that the data lacks and that only one image is to get: it is likely mistyped."""
    given = [actions["relabel"] for actions in fixes.values() if "relabel" in actions]
    wanted = Counter(
        label for value in given for label in (_labels(value) if manifest.task.multilabel else {value})
    )
    known = set(manifest.labels)
    if typos := sorted(label for label, count in wanted.items() if count < 2 and label not in known):
        raise DataError(
            "A label that is set by fixes must be one of the data, or be set for 2 images or more. Not in "
            "the data, "
            "and set only once: {labels}. The closest are: {nearest}. Correct the fixes.",
            labels=", ".join(typos),
            nearest=nearest(typos[0], known),
        )


def _changed(sample: Sample, wanted: Mapping[str, str], manifest: Manifest) -> Sample:
    if not wanted:
        return sample
    label = wanted.get("relabel", sample.label)
    if manifest.task.multilabel:
        label = joined(_labels(label))
    split: Split = next((known for known in SPLITS if known == wanted.get("move")), sample.split)
    return replace(sample, label=label, split=split, group=wanted.get("group", sample.group))
