"""Findings as the page shows them: a sentence, pictures, and what can be done about each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from eyebright.auditing.findings import Finding
from eyebright.data.fixes import Fix
from eyebright.report.summary.data_claims import property_name
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.format import percent, split_name
from eyebright.text.language import translate
from eyebright.verbs.audit.proposals import ON_ALL_IMAGES
from eyebright.verbs.audit.words import title, turn_name

#: Findings of one kind that the page shows; all are in `audit.json`.
SHOWN = 40
_IMAGES_EACH = 6
_THUMBNAIL_PX = 200


@dataclass(frozen=True)
class FixChoice:
    """One thing that can be done about an image: the fix, in words, and whether it is proposed."""

    action: str
    value: str
    words: str
    proposed: bool


@dataclass(frozen=True)
class ImageTile:
    """An image of a finding, its label and part, and what can be done about it; nothing about examples."""

    path: str
    about: str
    thumbnail: Thumbnail
    reason: str
    choices: Sequence[FixChoice]


@dataclass(frozen=True)
class FindingView:
    """A finding: what was found in words, and its images."""

    sentence: str
    tiles: Sequence[ImageTile]
    hidden: int


def views(
    root: Path,
    findings: Sequence[tuple[Finding, Sequence[Fix]]],
    about: Mapping[str, tuple[str, str]],
) -> list[FindingView]:
    """Return findings of one kind with their pictures.

    Args:
        root: of the images.
        findings: those to show, with the fixes that are proposed.
        about: label and part of each image, the part empty where the data has none.
    """
    shown = [finding.images[:_IMAGES_EACH] for finding, _ in findings]
    pictures = iter(thumbnails(root, list(chain.from_iterable(shown)), _THUMBNAIL_PX))
    found = []
    for (finding, fixes), paths in zip(findings, shown, strict=True):
        proposed = {fix.image: fix for fix in fixes}
        tiles = [_tile(finding, path, next(pictures), proposed.get(path), about) for path in paths]
        found.append(FindingView(sentence(finding), tiles, len(finding.images) - len(paths)))
    return found


def _tile(
    finding: Finding,
    path: str,
    picture: Thumbnail,
    proposed: Fix | None,
    about: Mapping[str, tuple[str, str]],
) -> ImageTile:
    label, part = about.get(path, ("", ""))
    words = " · ".join(some for some in (label, split_name(part) if part else "") if some)
    if finding.kind in ON_ALL_IMAGES:
        return ImageTile(path, words, picture, "", ())
    reason = proposed.reason if proposed else title(finding.kind)
    return ImageTile(path, words, picture, reason, _choices(finding, proposed))


def _choices(finding: Finding, proposed: Fix | None) -> list[FixChoice]:
    """Return what can be done about an image; the first is to decide later."""
    action, value = (proposed.action, proposed.value) if proposed else ("", "")
    known = [("", "", translate("decide later")), ("drop", "", translate("leave out"))]
    if action == "keep_one":
        known.append((action, value, translate("leave out, keep {path}", path=value)))
    if action == "group":
        known.append((action, value, translate("same group: {group}", group=value)))
    if finding.suggested:
        known.append(("relabel", finding.suggested, translate("relabel as {label}", label=finding.suggested)))
    known.append(("not_a_problem", finding.kind, translate("no problem")))
    return [FixChoice(done, to, words, (done, to) == (action, value)) for done, to, words in known]


def sentence(finding: Finding) -> str:
    """Return what was found, in words."""
    evidence = finding.evidence
    match finding.kind:
        case "label_error":
            return translate(
                "{label}, more likely {suggested}: wrong with probability {probability}",
                label=evidence["label"] or "–",
                suggested=finding.suggested or "–",
                probability=_probability(finding),
            )
        case "shift":
            return _shift(evidence)
        case "shortcut":
            return translate(
                "{property} alone tells the classes with a mean recall of {accuracy} ({low} to {high}); "
                "guessing "
                "reaches {chance}. Best told: {label}, recall {recall}.",
                property=property_name(str(evidence["property"])),
                label=evidence["class"],
                **{key: _share(evidence[key]) for key in ("accuracy", "low", "high", "chance", "recall")},
            )
        case "class_overlap":
            first, second = _names(evidence["classes"])
            return translate(
                "{first} and {second}: area under the ROC curve {area} (1 is certain, 0.5 is guessing)",
                first=first,
                second=second,
                area=f"{_number(evidence['told_apart']):.2f}",
            )
        case "class_split":
            smaller, larger = sorted(_counts(evidence["sizes"]))
            return translate(
                "{label} falls into two clusters, of {first} and {second:image|images}",
                label=evidence["class"],
                first=smaller,
                second=larger,
            )
        case "watermark":
            return translate(
                "{count:image has|images have} the same patch between {top} and {bottom} of the height and "
                "between {left} and {right} of the width",
                count=evidence["count"],
                **{side: _share(evidence[side]) for side in ("top", "bottom", "left", "right")},
            )
        case "imbalance":
            return translate(
                "{label}: {count:image|images}, the largest class has {most}",
                label=evidence["class"],
                count=evidence["images"],
                most=evidence["largest"],
            )
        case "odd_size":
            return translate("{width} × {height} px", width=evidence["width"], height=evidence["height"])
        case "broken":
            return ""  # the reason stands in place of the picture, in the reader's language
        case "border":
            sides = " · ".join(_share(evidence[side]) for side in ("top", "bottom", "left", "right"))
            return translate("above · below · left · right: {sides}", sides=sides)
        case "near_duplicate" | "leak" | "exact_duplicate":
            return _copies(finding)
        case _:
            return translate("probability {probability}", probability=_probability(finding))


def _shift(evidence: Mapping[str, object]) -> str:
    first, second = (split_name(name) for name in _names(evidence["parts"]))
    words = translate(
        "{first} and {second}: area under the ROC curve {area} (0.5 if they came from one source), p = {p}.",
        first=first,
        second=second,
        area=f"{_number(evidence['told_apart']):.2f}",
        p=f"{_number(evidence['p']):.3f}",
    )
    if classes := [name for name in _names(evidence["classes"]) if name]:
        words += " " + translate("Also within: {classes}.", classes=", ".join(classes))
    return words


def _copies(finding: Finding) -> str:
    count, labels = len(finding.images), set(_names(finding.evidence["labels"]))
    if finding.kind == "exact_duplicate" or finding.evidence.get("copies") == "exact":
        words = translate("{count:image|images} with the same pixels", count=count)
    else:
        words = translate(
            "{count:copy|copies}, probability {probability}", count=count, probability=_probability(finding)
        )
    if len(labels) > 1:
        words += " · " + translate("different labels: {labels}", labels=", ".join(sorted(labels)))
    turns = sorted(
        {turn_name(turn) for turn in _names(finding.evidence.get("turn", ())) if turn != "upright"}
    )
    if turns:
        words += " · " + ", ".join(turns)
    return words


def _probability(finding: Finding) -> str:
    return percent(finding.probability or 0.0, 0)


def _share(value: object) -> str:
    return percent(_number(value))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _counts(value: object) -> list[int]:
    return [int(one) for one in value] if isinstance(value, list | tuple) else []


def _names(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []
