"""The images that an export is compared and calibrated on: the run's own, wherever they lie now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.data.folder import scan
from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import DataError
from eyebright.runtime.progress import Progress
from eyebright.sealed.model import SealedModel
from eyebright.stages.evaluate import check_labels
from eyebright.types import Lang, Split


@dataclass(frozen=True)
class ExportImages:
    """Samples under a root.

    Attributes:
        root: ``root / sample.path`` is where one lies.
        compared: validation images, on which the certificate is made.
        training: for calibration and for what is learned again.
    """

    root: Path
    compared: Sequence[Sample]
    training: Sequence[Sample]


def export_images(
    model: SealedModel, data: Path | None, count: int, seed: int, progress: Progress, lang: Lang
) -> ExportImages:
    """Finds the images of a model.

    Args:
        model: the original; its run's manifest lies beside it, or ``data`` is given.
        data: a folder to look in instead; images that the run knows keep their part there, by their content.
        count: of validation images, at most; they are drawn with ``seed``.
        seed: of the draw, and of the split where ``data`` has neither parts nor a run that knows it.
        progress: is told what is read.
        lang: in which.

    Raises:
        DataError: the images are gone, or none is left to compare on.
    """
    manifest = _manifest(model, data, seed, progress, lang)
    check_labels(manifest, model)
    samples = manifest.of("val")
    if not samples:
        raise DataError(
            "An export must be compared on validation images. {path} has none that the run held out. "
            "Give the images that it was trained on, or others in class folders, with --data.",
            path=manifest.root,
        )
    drawn = np.sort(np.random.default_rng(seed).permutation(len(samples))[:count])
    return ExportImages(manifest.root, [samples[i] for i in drawn], manifest.of("train"))


def _manifest(model: SealedModel, data: Path | None, seed: int, progress: Progress, lang: Lang) -> Manifest:
    beside = model.path.with_name("manifest.parquet")
    known = Manifest.read(beside) if beside.is_file() else None
    if data is not None:
        found = scan(data, seed=seed, progress=progress, lang=lang)
        return found if known is None else _as_the_run_split(found, known)
    if known is None:
        raise DataError(
            "The images to compare on must be known. {path} has no manifest.parquet beside it. "
            "Give the run's folder, or name the images with --data.",
            path=model.path,
        )
    if gone := [s for s in known.of("val") if not (known.root / s.path).is_file()]:
        raise DataError(
            "The run's validation images must still be there. {count} of {total} are not, {path} for one. "
            "Say where they are now with --data.",
            count=len(gone),
            total=len(known.of("val")),
            path=known.root / gone[0].path,
        )
    return known


def _as_the_run_split(found: Manifest, known: Manifest) -> Manifest:
    """``found`` with the run's own parts, if it holds any of the run's validation images."""
    parts: dict[str, Split] = {s.sha: s.split for s in known.samples}
    if not any(parts.get(s.sha) == "val" for s in found.samples):
        return found
    return replace(
        found, samples=tuple(replace(s, split=parts[s.sha]) for s in found.samples if s.sha in parts)
    )
