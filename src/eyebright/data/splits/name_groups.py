"""Groups in file names: bursts, serial numbers, patients. Proposed with evidence, never used unasked."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from eyebright.data.manifest import Sample
from eyebright.errors import DataError

_SEPARATORS = "_. ()-"
_PARTS = re.compile(rf"[^{re.escape(_SEPARATORS)}]+")
# A day, as cameras begin the names of their pictures, is no subject.
_DAY = re.compile(r"(?:.*\D)?(?:19|20)\d\d-?[01]\d-?[0-3]\d")
_FEWEST_GROUPS = 5
_LEAST_SHARED = 0.6  # of the images have another one in their group
_LARGEST = 0.3  # of the images may be in one group
_DEEPEST = 4  # parts of a name that a group's may have
_SHOWN = 3


@dataclass(frozen=True)
class NameGroups:
    """Groups that file names seem to tell.

    Attributes:
        pattern: the regular expression that finds a group's name in a file's.
        count: how many groups there are.
        members: places of the images of each group of two or more.
        examples: names of files of the largest groups.
    """

    pattern: str
    count: int
    members: Sequence[Sequence[int]]
    examples: Sequence[Sequence[str]]


def propose_groups(samples: Sequence[Sample]) -> NameGroups | None:
    """Return the groups that the beginnings of file names seem to tell; None where there are no such.

    A beginning of whole parts, with a digit in its last, names a group where most images share theirs, where
    there are several groups to a class, and where what follows numbers the images of each group. Of several
    such beginnings the shortest is proposed, which keeps most together.
    """
    stems = [PurePosixPath(s.path).stem for s in samples]
    parts = [_PARTS.findall(stem) for stem in stems]
    for depth in range(1, _DEEPEST + 1):
        keys = [_beginning(stem, some, depth) for stem, some in zip(stems, parts, strict=True)]
        if _names_groups(keys, [s.label for s in samples]):
            return _proposal(samples, keys, _pattern(stems, depth))
    return None


def with_name_groups(samples: Sequence[Sample], pattern: str) -> list[Sample]:
    """Return samples whose group is what a regular expression finds in the names of their files.

    Args:
        samples: N images; one whose name has no match, or that has a group of its own, stays as it is.
        pattern: is searched in names without their folder and extension; its groups, if it has some, are
            the name of the images' group, else all of the match.

    Raises:
        DataError: it matches no name.
    """
    found = [re.search(pattern, PurePosixPath(s.path).stem) for s in samples]
    if not any(found):
        raise DataError(
            "--group-from must match names of files, without folder and extension. {pattern} matches none of "
            "{count:name|names}, such as {name}. Correct the pattern.",
            pattern=pattern,
            count=len(samples),
            name=PurePosixPath(samples[0].path).stem,
        )
    return [
        s if s.group or m is None else replace(s, group=_name(m)) for s, m in zip(samples, found, strict=True)
    ]


def _name(match: re.Match[str]) -> str:
    return "_".join(part or "" for part in match.groups()) if match.groups() else match.group()


def _beginning(stem: str, parts: Sequence[str], depth: int) -> str:
    """Return the first parts of a name with what separates them; empty where nothing would follow."""
    if len(parts) <= depth or not any(map(str.isdigit, parts[depth - 1])):
        return ""
    end = 0
    for part in parts[:depth]:
        end = stem.index(part, end) + len(part)
    beginning = stem[:end]
    return "" if _DAY.fullmatch(beginning) else beginning


def _names_groups(keys: Sequence[str], labels: Sequence[str]) -> bool:
    counts = Counter(key for key in keys if key)
    shared = sum(count for count in counts.values() if count > 1)
    classes = len(set(labels))
    return (
        len(counts) >= max(_FEWEST_GROUPS, 2 * classes)
        and shared >= _LEAST_SHARED * len(keys)
        and max(counts.values()) <= _LARGEST * len(keys)
    )


def _pattern(stems: Iterable[str], depth: int) -> str:
    """Return a regular expression for the first parts of names, with the separators that there are."""
    used = "".join(mark for mark in _SEPARATORS if any(mark in stem for stem in stems))
    between = {".": r"\.", "(": r"\(", ")": r"\)"}.get(used, used) if len(used) == 1 else f"[{used}]+"
    return "^" + between.join([f"[^{used}]+"] * depth)


def _proposal(samples: Sequence[Sample], keys: Sequence[str], pattern: str) -> NameGroups:
    groups: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        if key:
            groups[key].append(place)
    members = sorted((places for places in groups.values() if len(places) > 1), key=len, reverse=True)
    examples = [
        [PurePosixPath(samples[place].path).name for place in places[:_SHOWN]] for places in members[:_SHOWN]
    ]
    return NameGroups(pattern, len(groups), members, examples)
