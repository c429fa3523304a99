"""Fixes that an audit proposes: what is certain and loses nothing is filled in, all else is open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from eyebright.auditing.findings import Finding
from eyebright.data.fixes import EVERYTHING, Fix
from eyebright.data.manifest import COPIES
from eyebright.text.format import percent
from eyebright.text.language import translate
from eyebright.verbs.audit.words import title

_DUPLICATES = ("exact_duplicate", "near_duplicate")
_COPIES = ("leak", *_DUPLICATES)
#: Kinds that are about all images; their pictures are examples.
ON_ALL_IMAGES = ("shift", "shortcut", "watermark", "class_overlap", "class_split", "imbalance")


def proposed_fixes(findings: Sequence[Finding]) -> list[list[Fix]]:
    """Return the rows of each finding, in the findings' order.

    Copies on both sides of a split and exact duplicates are left out but for one, if their labels agree.
    Near duplicates in one split get a group; those in two are asked about as leaks alone. A wrong label gets
    the likelier one. What to do about any other finding is for a person to say.
    """
    kept: set[str] = set()
    leaving: set[str] = set()
    leaks = leaked_with(findings)
    return [
        []
        if among(leaks, finding)
        else list(_copies(finding, number, kept, leaving) if finding.kind in _COPIES else _others(finding))
        for number, finding in enumerate(findings, 1)
    ]


def leaked_with(findings: Iterable[Finding]) -> Mapping[str, set[str]]:
    """Return for each image of a leak all images of its leaks."""
    found: dict[str, set[str]] = {}
    for finding in findings:
        if finding.kind == "leak":
            for path in finding.images:
                found.setdefault(path, set()).update(finding.images)
    return found


def among(leaks: Mapping[str, set[str]], finding: Finding) -> bool:
    """Return whether duplicates are those of a leak, which asks what to do about them."""
    return finding.kind in _DUPLICATES and leaks.get(finding.images[0], set()).issuperset(finding.images)


def _copies(finding: Finding, number: int, kept: set[str], leaving: set[str]) -> Iterator[Fix]:
    """Yield the fixes of copies; an image that another finding keeps is not left out, and the reverse."""
    reason = _reason(finding)
    if finding.kind == "near_duplicate":
        groups = sorted(set(finding.groups) - {""})
        # Images of two patients, say, are a question: a new group would part one of them from its own others.
        action, name = (
            ("group", groups[0] if groups else f"{COPIES}{number}") if len(groups) < 2 else ("", "")
        )
        yield from (Fix(path, action, name, reason) for path in finding.images)
        return
    if finding.label_conflict:  # which label is right is for a person to say
        yield from (Fix(path, "", "", reason) for path in finding.images)
        return
    stays = next((path for path in finding.images if path not in leaving), None)
    for path in finding.images:
        if stays is None or path == stays or path in leaving or path in kept:
            continue
        leaving.add(path)
        yield Fix(path, "keep_one", stays, reason)
    if stays is not None:
        kept.add(stays)


def _others(finding: Finding) -> Iterator[Fix]:
    reason = _reason(finding)
    match finding.kind:
        case "label_error":
            # No label at all is an open question: a fix must name one.
            suggested = finding.suggested or ""
            yield Fix(finding.images[0], "relabel" if suggested else "", suggested, reason)
        case "broken":
            yield Fix(finding.images[0], "drop", "", reason)
        case kind if kind in ON_ALL_IMAGES:
            yield Fix(EVERYTHING, "", kind, reason)
        case _:
            yield from (Fix(path, "", "", reason) for path in finding.images)


def _reason(finding: Finding) -> str:
    """Return the kind of a finding, and how likely it is so."""
    if finding.probability is None or finding.probability >= 1:
        return title(finding.kind)
    return translate(
        "{kind}, probability {probability}",
        kind=title(finding.kind),
        probability=percent(finding.probability, 0),
    )
