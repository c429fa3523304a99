"""The images of an update: those of the run in their splits, and new ones that are drawn into the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.auditing.duplicates.near_duplicates import may_be_copies, near_duplicates
from eyebright.data.checks import conflicts, copies, few_images, require_classes, require_labels, with_weight
from eyebright.data.contents import with_contents
from eyebright.data.fixes import LEFT_OUT, Fixes
from eyebright.data.header import Header
from eyebright.data.manifest import FOLDS, SPLITS, Manifest, Sample
from eyebright.data.read_headers import read_headers
from eyebright.data.source import scan_as_given
from eyebright.data.split import assign, rarest, unit_key
from eyebright.data.splits.drawing import with_facts
from eyebright.data.splits.units import joined
from eyebright.data.storage.places import is_file
from eyebright.data.table.chosen import named_columns
from eyebright.errors import DataError
from eyebright.runs.images import check_task
from eyebright.text.format import listed
from eyebright.text.language import translate
from eyebright.types import Skipped, Split
from eyebright.verbs.train.splits import with_folds
from eyebright.verbs.update.class_edits import ClassEdits, require_not_removed
from eyebright.verbs.update.earlier_run import EarlierRun
from eyebright.verbs.update.options import UpdateConfig

_KEPT = ("move", "group")  # fixes that would take an image from one split into another


@dataclass(frozen=True)
class UpdatedImages:
    """The manifest of an update, and how it differs from that of the run.

    Attributes:
        manifest: all images.
        added: hashes of the new ones.
        relabelled: images of the run whose label was corrected.
        gone: images of the run whose files are not there any more.
    """

    manifest: Manifest
    added: frozenset[str]
    relabelled: int
    gone: int


def updated_images(
    earlier: EarlierRun, config: UpdateConfig, edits: ClassEdits, fixes: Fixes | None
) -> UpdatedImages:
    """Join the images of a run with new ones.

    Args:
        earlier: the run.
        config: the options, with the new images if there are any.
        edits: classes that are renamed, merged or removed, in the run and in the new images.
        fixes: by the paths of images in the manifest of the run; they come last.

    Raises:
        NotFoundError, DataError: there is nothing to update, or the images or labels do not fit together.
    """
    known = edits.applied(replace(earlier.manifest, warnings=()))
    found, given = (None, False) if config.data is None else _new(config, config.data, earlier, edits)
    seed, folds = earlier.config.seed, earlier.config.folds
    manifest = known
    if found is not None:
        manifest = _joined(known, found, given=given, folds=folds is not None, seed=seed)
    manifest = manifest if fixes is None else _fixed(manifest, fixes)
    before, after = ({s.sha: s.label for s in some.samples} for some in (known, manifest))
    relabelled = sum(after.get(sha, label) != label for sha, label in before.items())
    weights = {s.sha: s.weight for s in known.samples}
    reweighted = any(weights.get(s.sha, s.weight) != s.weight for s in manifest.samples)
    if not (
        edits
        or relabelled
        or reweighted
        or len(manifest.samples) != len(known.samples)
        or after.keys() != before.keys()
    ):
        raise DataError(
            "An update needs new images, other labels, or classes to rename, merge or remove. Got {data}, "
            "with nothing that the run does not have. Add images, or pass --rename, --merge, --remove or "
            "--fixes.",
            data=config.data or translate("no data"),
        )
    root = manifest.root
    gone = sum(s.sha in before and not is_file(root / s.path) for s in manifest.samples)
    manifest = _checked(manifest)
    manifest = manifest if folds is None else with_folds(manifest, folds, seed)
    return UpdatedImages(manifest, frozenset(after.keys() - before.keys()), relabelled, gone)


def _fixed(manifest: Manifest, fixes: Fixes) -> Manifest:
    """Return a manifest with its fixes, none of which may take an image into another split."""
    if moved := [fix for fix in fixes.rows if fix.action in _KEPT]:
        raise DataError(
            "Images keep their split in an update. {path} has the action {action} for {count:image|images}, "
            "such as {image}. Delete these rows, or train anew with `eyebright train --fixes`.",
            path=fixes.name,
            action=moved[0].action,
            count=len(moved),
            image=moved[0].image,
        )
    return fixes.applied(manifest)


def _new(config: UpdateConfig, data: Path, earlier: EarlierRun, edits: ClassEdits) -> tuple[Manifest, bool]:
    """Return the images in ``data``, and whether it has splits of its own."""
    columns = named_columns(config, earlier.manifest.columns)
    found, given = scan_as_given(data, columns=columns, multilabel=earlier.model.task.multilabel)
    check_task(found, earlier.model)
    require_not_removed(found, edits)
    skipped = tuple(replace(entry, path=str(found.root / entry.path)) for entry in found.skipped)
    return edits.applied(replace(found, skipped=skipped)), given


def _joined(old: Manifest, found: Manifest, *, given: bool, folds: bool, seed: int) -> Manifest:
    """Return the run's images with the labels that ``found`` gives them, and its new ones in their splits."""
    known, labels = {s.sha: s.label for s in old.samples}, defaultdict[str, set[str]](set)
    left_out = {entry.path for entry in old.skipped if entry.reason == LEFT_OUT}
    new: dict[str, Sample] = {}
    for sample in found.samples:
        place = found.root / sample.path
        inside = place.is_relative_to(old.root)
        path = place.relative_to(old.root).as_posix() if inside else place.as_posix()
        if sample.sha in known:
            labels[sample.sha].add(sample.label)
        elif path not in left_out:
            new[path] = replace(sample, path=path)
    corrected = {sha: _corrected(known[sha], given_labels, found) for sha, given_labels in labels.items()}
    replaced = [
        Skipped(s.path, "The file holds another image now, which was used instead.")
        for s in old.samples
        if s.path in new
    ]
    old = old.without(replaced)
    weights = {s.sha: s.weight for s in found.samples} if found.columns and found.columns.weight else {}
    samples = [
        replace(s, label=corrected.get(s.sha, s.label), weight=weights.get(s.sha, s.weight))
        for s in old.samples
    ]
    samples, fresh = _with_contents(old, samples, list(new.values()))
    near = near_duplicates(old.root, [*samples, *fresh])
    everything = joined([*samples, *fresh], near)
    known_images, fresh = everything[: len(samples)], list(everything[len(samples) :])
    old = replace(old, samples=tuple(known_images))
    # Of a cross-validation, all images train.
    fresh = [replace(s, split="train") for s in fresh] if folds else fresh
    everything = [*known_images, *_split(old, fresh, given=given or folds, seed=seed)]
    label_set = old.label_set
    if label_set is not None:
        label_set = tuple(sorted({*label_set, *(label for s in everything for label in s.labels)}))
    together = replace(
        old,
        samples=tuple(everything),
        skipped=(*old.skipped, *found.skipped),
        warnings=(*old.warnings, *found.warnings),
        label_set=label_set,
        columns=old.columns or found.columns,
    )
    # Of images that were split by time, new ones are not: they are drawn as by chance.
    by = FOLDS if folds else "data" if old.facts is None or old.facts.by == "data" else "chance"
    manifest = with_facts(together, near, by)
    return replace(manifest, samples=tuple(sorted(everything, key=lambda s: s.path)))


def _corrected(known: str, given: Collection[str], found: Manifest) -> str:
    """Return the label of an image of the run; of several that copies give it, its own stays."""
    if known in given:
        return known
    if len(given) > 1:
        raise DataError(
            "An image must have one label. In {path}, an image of the run has the labels {labels}, which was "
            "{known}. Remove the wrong copy.",
            path=found.root,
            labels=listed(sorted(given)),
            known=known,
        )
    return next(iter(given))


def _with_contents(
    old: Manifest, samples: Sequence[Sample], new: Sequence[Sample]
) -> tuple[list[Sample], list[Sample]]:
    """Let copies among the run's and the new images know each other, and share one white level.

    Only images of the same size in pixels that look alike can be copies, so only those of the run are read
    again.
    """
    sizes = {(s.width, s.height) for s in new}
    alike = [s for s in samples if (s.width, s.height) in sizes and not s.white_level]
    if not any(s.white_level for s in new):
        alike = may_be_copies(old.root, alike, new)
    headers = [h for _, some in read_headers(old.root, [(s.label, s.path) for s in alike]) for h in some]
    read = [
        replace(s, content=h.content)
        for s, h in zip(alike, headers, strict=True)
        if isinstance(h, Header) and h.sha == s.sha
    ]
    joint, _ = with_contents(old.root, [*read, *new])
    level = max([old.white_level or 0, *(s.white_level for s in joint)])
    contents = {s.path: s.content for s in joint[: len(read)]}
    leveled = [
        replace(s, content=contents.get(s.path, s.content), white_level=s.white_level and level)
        for s in samples
    ]
    return leveled, [replace(s, white_level=s.white_level and level) for s in joint[len(read) :]]


def _split(old: Manifest, new: Sequence[Sample], *, given: bool, seed: int) -> list[Sample]:
    """Return new images in splits: with near duplicates and groups, as given, or in the run's shares."""
    places: dict[str, Split] = {}
    # Where relatives lie in several splits of the data's own, a new image must not be trained on.
    for sample in sorted(old.samples, key=lambda s: SPLITS.index(s.split)):
        for key in (sample.identity, unit_key(sample)):
            places[key] = sample.split
    if not given:
        everything = [*old.samples, *new]
        names = (
            rarest([s.labels for s in everything]) if old.task.multilabel else [s.label for s in everything]
        )
        val, test = (len(old.of(split)) / len(old.samples) for split in ("val", "test"))
        drawn = assign(names, [unit_key(s) for s in everything], val, test, seed)[len(old.samples) :]
        new = [replace(s, split=split) for s, split in zip(new, drawn, strict=True)]
    return [replace(s, split=places.get(s.identity, places.get(unit_key(s), s.split))) for s in new]


def _checked(manifest: Manifest) -> Manifest:
    """Return the manifest to train on, with the warnings of all its images."""
    manifest = with_weight(manifest)
    samples = manifest.samples
    further: Sequence[Skipped] = ()
    if manifest.label_set is not None:
        further = require_labels([s.labels for s in manifest.of("train")], manifest.label_set, manifest.root)
    else:
        require_classes(_counts(manifest), manifest.root, manifest.skipped)
    found = (*further, *conflicts(samples), *copies(samples), *few_images(manifest))
    return replace(manifest, warnings=(*manifest.warnings, *found))


def _counts(manifest: Manifest) -> Mapping[Split, Mapping[str, int]]:
    return {split: Counter(s.label for s in manifest.of(split)) for split in SPLITS}
