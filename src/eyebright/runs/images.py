"""The images of a model's run, wherever they lie now, and whether data and model fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from eyebright.data.header import read_image
from eyebright.data.manifest import SPLITS, Manifest, Sample
from eyebright.data.manifest_file import read_manifest
from eyebright.data.source import scan
from eyebright.data.splits.good_names import as_one_class
from eyebright.data.storage.places import is_file
from eyebright.data.table.chosen import ANY_COLUMNS, Columns, named_columns
from eyebright.errors import ConfigError, DataError, ImageError, NotFoundError, nearest
from eyebright.options.columns import ImageColumnsConfig
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.text.format import listed
from eyebright.types import Skipped, Split


def manifest_of(
    model: SealedModel,
    data: Path | None,
    seed: int,
    splits: Sequence[Split] = SPLITS,
    columns: Columns = ANY_COLUMNS,
) -> Manifest:
    """Return the manifest of a model's run, or of a folder with the run's own splits.

    Args:
        model: its run's manifest lies beside it, or ``data`` is given.
        data: a folder to look in instead; images that the run knows keep their split there, by their content.
        seed: of the split where ``data`` has neither splits nor a run that knows it.
        splits: those that are needed, and so must be there.
        columns: those of the table in ``data``; see :func:`columns_for`.

    Raises:
        DataError: the images are missing, or nothing says which they were.
    """
    known = _beside(model)
    if data is not None:
        return with_run_splits(
            scan(data, seed=seed, multilabel=model.task.multilabel, columns=columns), model
        )
    if known is None:
        raise DataError(
            "The images of the model must be known. There is no manifest.parquet beside {path}. Use "
            "a run directory, or name the images with --data.",
            path=model.path,
        )
    needed = [s for split in splits for s in known.of(split)]
    if gone := [s for s in needed if not is_file(known.root / s.path)]:
        raise DataError(
            "The run's images must still be available. Missing: {count} of {total:image|images}, for "
            "example {path}. Give their current folder with --data.",
            count=len(gone),
            total=len(needed),
            path=known.root / gone[0].path,
        )
    return known


def columns_for(config: ImageColumnsConfig, model: SealedModel) -> Columns:
    """Return the columns of a table that is read for a model.

    They are those that the options name, and besides those that the model's run learned from.

    Args:
        config: the options of the verb.
        model: its run's manifest may lie beside it.
    """
    known = _beside(model)
    return named_columns(config, None if known is None else known.columns)


def held_out_images(model: SealedModel, wanted: Split | Literal["auto"]) -> tuple[Manifest, Split]:
    """Return the images of a split of the model's run where they lie, and which split it is.

    Images that changed or are gone are skipped.

    Args:
        model: its run's manifest lies beside it.
        wanted: a split, or "auto" for the one that training evaluated: test, else validation.

    Raises:
        NotFoundError: nothing says which images they were, or the run has none in this split.
    """
    known = _beside(model)
    if known is None:
        raise NotFoundError(
            "Without images to evaluate on, the model must lie in its run, whose manifest.parquet lists "
            "them. There is none beside {path}. Give a folder of images.",
            path=model.path,
        )
    order: tuple[Split, ...] = ("test", "val") if wanted == "auto" else (wanted,)
    split = next((split for split in order if known.of(split)), None)
    if split is None:
        raise NotFoundError(
            "The run must have images in the split to evaluate on. {path} has: {counts}. Choose another with "
            "--split, or give a folder of images; a cross-validated model learned from all of its own.",
            path=model.path.parent,
            counts=", ".join(f"{split} {len(known.of(split))}" for split in SPLITS),
        )

    def unusable(sample: Sample) -> Skipped | None:
        try:
            read_image(known.root / sample.path, sample.sha)
        except (ImageError, NotFoundError) as error:
            return Skipped(sample.path, error.template, error.values)
        return None

    samples = known.of(split)
    with progress_task("Reading images", total=len(samples)) as task:
        skipped = []
        for found in parallel(unusable, samples):
            task.advance()
            skipped += [] if found is None else [found]
    return Manifest(known.root, samples, label_set=known.label_set).without(skipped), split


def with_run_splits(found: Manifest, model: SealedModel) -> Manifest:
    """Return ``found`` with the splits of the model's own run for all images that this run knows.

    Weights, times and texts are the run's too where ``found`` has no column of them. Images that it does not
    know are left out, unless none of its validation images is there: then they keep the split that they have.
    """
    known = _beside(model)
    if known is None:
        return found
    images = {s.sha: s for s in known.samples}
    splits: dict[str, Split] = {sha: s.split for sha, s in images.items()}
    others = not any(splits.get(s.sha) == "val" for s in found.samples)
    kept = (s for s in found.samples if others or s.sha in splits)
    taken = [
        role
        for role in ("weight", "time", "text")
        if found.columns is None or not getattr(found.columns, role)
    ]
    samples = (
        replace(s, split=splits.get(s.sha, s.split), **{r: getattr(images.get(s.sha, s), r) for r in taken})
        for s in kept
    )
    return replace(found, samples=tuple(samples))


def drawn(manifest: Manifest, count: int, seed: int, split: Split = "val") -> list[Sample]:
    """Draw up to ``count`` images of a split with ``seed``, in the order of their content.

    Raises:
        DataError: there are none.
    """
    samples = manifest.of(split)
    if not samples:
        require_validation_images(manifest)
    order = np.sort(np.random.default_rng(seed).permutation(len(samples))[:count])
    return [samples[i] for i in order]


def require_validation_images(manifest: Manifest) -> None:
    """Refuse images without a validation split, on which models are compared.

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
    """Refuse a model whose classes are not exactly those of the data.

    Raises:
        DataError: naming the classes that one of them lacks.
    """
    if model.labels != tuple(labels):
        raise DataError(
            "The model and the data must have the same classes. Found in only one of them: "
            "{different}. Use the images that {path} was trained on, or another model.",
            different=listed(sorted(set(model.labels) ^ set(labels))),
            path=model.path,
        )


def check_labels(manifest: Manifest, model: SealedModel) -> None:
    """Refuse classes that the model does not know, and single-label data for a multi-label model.

    Raises:
        DataError: naming the classes and the nearest that it knows.
    """
    check_task(manifest, model)
    unknown = [label for label in manifest.labels if label not in model.labels]
    if unknown:
        raise DataError(
            "The model must know every class in the data. It does not know: {unknown}. Closest "
            "matches: {nearest}. Rename the folders, remove them, or train on these classes.",
            unknown=listed(unknown),
            nearest=nearest(unknown[0], model.labels),
        )


def require_classifier(model: SealedModel, what: str) -> None:
    """Refuse a model that learned from good images alone, for what needs a head on classes.

    Args:
        model: any.
        what: was asked for, as it stands on the command line.

    Raises:
        ConfigError: it did.
    """
    if model.has_anomaly_map:
        raise ConfigError(
            "{what} needs a classifier. {path} learned from good images alone and has no classes. To change "
            "it, run `eyebright train` again.",
            what=what,
            path=model.path,
        )


def with_model_labels(manifest: Manifest, model: SealedModel) -> Manifest:
    """Return the images labelled `good` and `anomaly` where the model knows these, whatever the kinds."""
    if not model.has_anomaly_map:
        return manifest
    return replace(manifest, samples=tuple(as_one_class(manifest.samples)))


def check_task(manifest: Manifest, model: SealedModel) -> None:
    """Refuse single-label data for a multi-label model, and the other way round.

    Raises:
        DataError: they are not of one kind.
    """
    if manifest.task.multilabel != model.task.multilabel:
        raise DataError(
            "The data and the model must be of the same kind. In {one}, an image has one label; in "
            "{other}, it may have several. Use images labelled like those that {path} was trained on.",
            one=model.path if manifest.task.multilabel else manifest.root,
            other=manifest.root if manifest.task.multilabel else model.path,
            path=model.path,
        )


def check_not_learned(model: SealedModel, manifest: Manifest) -> None:
    """Refuse a model that was trained on images on which it would be compared, as far as its run is known.

    Images in the manifest's training split were used by both models, and do not count.

    Raises:
        DataError: it was.
    """
    known = _beside(model)
    if known is None:
        return
    learned = {s.sha for s in known.of("train")} - {s.sha for s in manifest.of("train")}
    compared = [s for split in ("val", "test") for s in manifest.of(split)]
    if count := sum(s.sha in learned for s in compared):
        raise DataError(
            "Models must be compared on images that none of them was trained on. {path} was trained "
            "on {count} of the {total:image|images} here, because its run used a different split. "
            "Train it on the same folder with the same --seed, make it with `eyebright distill` or "
            "`eyebright prune`, or leave it out.",
            path=model.path,
            count=count,
            total=len(compared),
        )


def _beside(model: SealedModel) -> Manifest | None:
    path = model.path.with_name("manifest.parquet")
    return read_manifest(path) if path.is_file() else None
