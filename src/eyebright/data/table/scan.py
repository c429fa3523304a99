"""Listed images as a manifest: what a table or another list says, checked, split, and ready to train on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from eyebright.data.checks import conflicts, copies, leaks, require_classes, require_labels
from eyebright.data.fixes import Fixes
from eyebright.data.manifest import Manifest
from eyebright.data.splits.drawing import BY_CHANCE, Drawing, draw
from eyebright.data.table.listed import ListedImages, read_listed
from eyebright.errors import DataError, NotFoundError
from eyebright.runtime.compact.rows import changed, kept, values
from eyebright.types import Skipped, Split

_SHARE_VAL = 0.2


def scan_listed(
    listed: ListedImages,
    *,
    val: Path | float | None = None,
    test: Path | float | None = None,
    seed: int = 0,
    fixes: Fixes | None = None,
    drawing: Drawing = BY_CHANCE,
) -> Manifest:
    """Return the manifest to train on: every image that is listed and can be read.

    Args:
        listed: the images.
        val: share of the images to hold out for validation, where the table has no parts (default: 0.2).
        test: the same for the test split (default: none).
        seed: of the split.
        fixes: applied before anything is held out.
        drawing: how images are held out.

    Raises:
        DataError: the table cannot be used, or leaves nothing sensible to train on.
    """
    source = listed.source
    manifest, given = read_listed(listed)
    del listed  # of millions of rows, memory is needed now
    if isinstance(val, Path) or isinstance(test, Path) or (given and (val or test)):
        raise DataError(
            "With {name}, the splits come from its split column, or from shares if it has none. Got "
            "--val or --test. Remove them, or delete the column and give shares such as 0.2.",
            name=source.name,
        )
    if fixes is not None:
        manifest = fixes.applied(manifest)
    manifest = manifest.without(leaks(manifest.samples)) if given else manifest
    few = _require(manifest, source)
    warnings = (*manifest.warnings, *few, *conflicts(manifest.samples), *copies(manifest.samples))
    shares: dict[Split, float] = {}
    if "val" not in manifest.splits:
        shares = {"val": _SHARE_VAL if val is None else val, "test": test or 0.0}
    manifest = draw(replace(manifest, warnings=warnings), shares, seed, drawing)
    if drawing.by != "folds":
        _require_groups(manifest, source)
    return manifest


def scan_listed_part(listed: ListedImages, wanted: Split | None) -> tuple[Manifest, Split]:
    """Return the images of one split, and which that is: the requested one, else test, validation or all.

    Raises:
        NotFoundError: the table has no images of that part.
        DataError: the table cannot be used.
    """
    manifest, given = read_listed(listed)
    there: list[Split] = ["test", "val"] if given else []
    there = [split for split in there if manifest.of(split)]
    if wanted is not None and (not given or not manifest.of(wanted)):
        raise NotFoundError(
            "The data must contain the requested split. {path} lists no readable {split} image. Omit "
            "--split, or correct the column split.",
            path=listed.source,
            split=wanted,
        )
    part: Split = wanted or (there[0] if there else "test")
    everything = not (wanted or there)
    flags = (everything or split == part for split in values(manifest.samples, "split"))
    taken = kept(manifest.samples, flags)
    samples = changed(taken, (replace(s, split=part) for s in taken))
    warnings = (*manifest.warnings, *conflicts(samples), *copies(samples))
    return replace(manifest, samples=samples, warnings=warnings), part


def _require(manifest: Manifest, source: Path) -> Sequence[Skipped]:
    if manifest.label_set is not None:
        return require_labels([s.labels for s in manifest.of("train")], manifest.label_set, source)
    require_classes(manifest.tally, source, manifest.skipped)
    return []


def _require_groups(manifest: Manifest, source: Path) -> None:
    """Refuse groups of which none could be held out, from training or within it."""

    def units(split: Split) -> Iterator[str]:
        found = values(manifest.samples, "split", "together")
        return (together for part, together in found if part == split)

    first = next(units("train"), None)
    if "val" in manifest.splits and any(one != first for one in units("train")):
        return
    raise DataError(
        "Images of one group stay together, so there must be at least 2 groups for training and 1 for "
        "validation. {path} leaves {train} for training and {val} for validation. Name another column "
        "with --group, or `none`.",
        path=source,
        train=len(set(units("train"))),
        val=len(set(units("val"))),
    )
