"""The images that a model was trained on and held out, wherever they lie now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.manifest_file import read_manifest
from eyebright.data.source import scan
from eyebright.errors import DataError
from eyebright.sealed.model import SealedModel
from eyebright.types import Split


def manifest_of(
    model: SealedModel, data: Path | None, seed: int, parts: Sequence[Split] = SPLITS
) -> Manifest:
    """The manifest of a model's run, or of a folder with the run's own parts.

    Args:
        model: its run's manifest lies beside it, or ``data`` is given.
        data: a folder to look in instead; images that the run knows keep their part there, by their content.
        seed: of the split where ``data`` has neither parts nor a run that knows it.
        parts: those that are needed, and so must be there.

    Raises:
        DataError: the images are gone, or nobody knows which they were.
    """
    known = _beside(model)
    if data is not None:
        return with_run_parts(scan(data, seed=seed), model)
    if known is None:
        raise DataError(
            "The images of the model must be known. There is no manifest.parquet beside {path}. Use "
            "a run directory, or name the images with --data.",
            path=model.path,
        )
    needed = [s for part in parts for s in known.of(part)]
    if gone := [s for s in needed if not (known.root / s.path).is_file()]:
        raise DataError(
            "The run's images must still be available. Missing: {count} of {total:image|images}, for "
            "example {path}. Give their current folder with --data.",
            count=len(gone),
            total=len(needed),
            path=known.root / gone[0].path,
        )
    return known


def with_run_parts(found: Manifest, model: SealedModel) -> Manifest:
    """``found`` with the parts of the model's own run for all images that this run knows.

    Images that it does not know are left out, unless none of its validation images is there: then they keep
    the part that they have.
    """
    known = _beside(model)
    if known is None:
        return found
    parts: dict[str, Split] = {s.sha: s.split for s in known.samples}
    others = not any(parts.get(s.sha) == "val" for s in found.samples)
    kept = (s for s in found.samples if others or s.sha in parts)
    return replace(found, samples=tuple(replace(s, split=parts.get(s.sha, s.split)) for s in kept))


def drawn(manifest: Manifest, count: int, seed: int) -> list[Sample]:
    """Up to ``count`` validation images, drawn with ``seed``, in the manifest's order.

    Raises:
        DataError: there are none.
    """
    require_held_out(manifest)
    samples = manifest.of("val")
    order = np.sort(np.random.default_rng(seed).permutation(len(samples))[:count])
    return [samples[i] for i in order]


def require_held_out(manifest: Manifest) -> None:
    """Refuses images without a validation part, of which a model or its pupil would be judged.

    Raises:
        DataError: there is none.
    """
    if not manifest.of("val"):
        raise DataError(
            "Models must be compared on validation images. {path} has none from the run's validation "
            "split. Use --data to give the images it was trained on, or others in class folders.",
            path=manifest.root,
        )


def check_classes(model: SealedModel, labels: Sequence[str]) -> None:
    """Refuses a model that does not know just the classes of the data, which others are to learn from it.

    Raises:
        DataError: naming those that one of them lacks.
    """
    if model.labels != tuple(labels):
        raise DataError(
            "The model and the data must have the same classes. Found in only one of them: "
            "{different}. Use the images that {path} was trained on, or another model.",
            different=", ".join(sorted(set(model.labels) ^ set(labels))),
            path=model.path,
        )


def check_not_learned(model: SealedModel, manifest: Manifest) -> None:
    """Refuses a model that learned from images by which it would be compared, as far as its run is known.

    Images that stand in the manifest's training part as well are in both models' and do not count.

    Raises:
        DataError: it did.
    """
    known = _beside(model)
    if known is None:
        return
    learned = {s.sha for s in known.of("train")} - {s.sha for s in manifest.of("train")}
    judged = [s for part in ("val", "test") for s in manifest.of(part)]
    if count := sum(s.sha in learned for s in judged):
        raise DataError(
            "Models must be compared on images that none of them was trained on. {path} was trained "
            "on {count} of the {total:image|images} here, because its run used a different split. "
            "Train it on the same folder with the same --seed, make it with `eyebright distill` or "
            "`eyebright prune`, or leave it out.",
            path=model.path,
            count=count,
            total=len(judged),
        )


def _beside(model: SealedModel) -> Manifest | None:
    path = model.path.with_name("manifest.parquet")
    return read_manifest(path) if path.is_file() else None
