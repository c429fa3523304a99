"""Measure what a model's own images look like to it: the validation and test images of its run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eyebright.data.corruptions import STRENGTHS, corrupt
from eyebright.data.decode import decode
from eyebright.data.header import read_image
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.table.chosen import ANY_COLUMNS, Columns
from eyebright.errors import DataError, ImageError, NotFoundError, StorageError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.monitoring.model_monitor import look_at
from eyebright.monitoring.projection import WIDTH, FeatureProjection
from eyebright.monitoring.reference_file import NAME, Reference, read_reference, write_reference
from eyebright.runs.images import check_labels, manifest_of
from eyebright.runs.seen_size import seen_size
from eyebright.runtime.context import progress_task, say
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.sealed.ood_output import stored_residual
from eyebright.types import FloatArray, Split, UInt8Array

#: More images are drawn from.
MOST_IMAGES = 2000
# What the head did not learn from. Twice the images find a small change far sooner.
_PARTS: tuple[Split, ...] = ("val", "test")
# So many of them are corrupted in each way, at a strength of their own.
_CORRUPTED = 200
_STRENGTHS = (1, 2, 3)

_Row: TypeAlias = "tuple[str, bool, FloatArray, float, FloatArray, FloatArray]"


def reference_of(
    model: SealedModel, data: Path | None, seed: int, columns: Columns = ANY_COLUMNS
) -> Reference:
    """Return the reference of a run, which is measured and kept beside the model at its first use.

    Args:
        model: opened with one thread a call; its run's manifest lies beside it, or ``data`` is given.
        data: where the run's images are now; None where they still are where they were.
        seed: of what is drawn.
        columns: those of the table in ``data``.

    Raises:
        DataError: there are no such images, or the file beside the model is damaged.
    """
    path = model.path.with_name(NAME)
    digest = sha256(model.path)
    if path.is_file() and (known := read_reference(path)).model_sha256 == digest:
        return known
    manifest = manifest_of(model, data, seed, _PARTS, columns)
    check_labels(manifest, model)
    found = measure_reference(model, digest, manifest, seed)
    with suppress(StorageError):  # a folder that cannot be written costs the time of measuring again
        write_reference(found, path)
    return found


def measure_reference(model: SealedModel, digest: str, manifest: Manifest, seed: int) -> Reference:
    """Run the model on validation and test images, as they are and corrupted.

    Raises:
        DataError: there are none, or none can be read.
    """
    samples = _drawn([sample for part in _PARTS for sample in manifest.of(part)], seed)
    if not samples:
        raise DataError(
            "A reference run must have validation or test images. {path} has none. Train with `--val 0.2`, "
            "or give labelled images with --data.",
            path=manifest.root,
        )
    measurer = _Measurer(model, digest, manifest, seed)
    rows: list[_Row] = []
    with progress_task("Measuring the reference", total=len(samples)) as task:
        for some in parallel(measurer.rows, enumerate(samples)):
            rows += some
            task.advance()
    if not rows:
        raise DataError(
            "A reference run must have readable validation or test images. All {count} in {path} are damaged "
            "or changed. Give copies with --data.",
            count=len(samples),
            path=manifest.root,
        )
    say(
        "Reference: {count:validation and test image|validation and test images}.",
        count=sum(not row[0] for row in rows),
    )
    kinds, correct, probabilities, scores, projections, looks = zip(*rows, strict=True)
    return Reference(
        digest,
        model.labels,
        kinds,
        np.array(correct, bool),
        np.stack(probabilities),
        np.array(scores, np.float32),
        np.stack(projections),
        np.stack(looks),
    )


class _Measurer:
    """Predict one image after another, from several threads."""

    def __init__(self, model: SealedModel, digest: str, manifest: Manifest, seed: int) -> None:
        self._model, self._manifest, self._seed = model, manifest, seed
        self._projection = FeatureProjection(digest, stored_residual(model.graph()))
        _ = model.split_model  # once, before threads ask for it

    def rows(self, numbered: tuple[int, Sample]) -> list[_Row]:
        """Return the rows of an image, and of it corrupted; none of an image that cannot be read."""
        number, sample = numbered
        try:
            data = read_image(self._manifest.root / sample.path, sample.sha)
            found = [
                self._row(
                    "", decode(data, min_side=self._model.size, white_level=self._model.white_level), sample
                )
            ]
            if number < _CORRUPTED:
                random = np.random.default_rng([self._seed, int(sample.sha[:16], 16)])
                seen = seen_size(data, self._model)
                for kind, strengths in STRENGTHS.items():
                    strength = strengths[random.choice(_STRENGTHS)]
                    found.append(self._row(kind, corrupt(seen, kind, strength, random), sample))
        except (ImageError, NotFoundError):
            return []
        return found

    def _row(self, kind: str, pixels: UInt8Array, sample: Sample) -> _Row:
        model = self._model
        probabilities, scores, features = model.predict_with_features(pixels[None])
        truth = model.task.encode([sample], model.labels)
        correct = bool(model.task.agree(model.task.predicted(probabilities), truth)[0])
        nothing = np.full((1, WIDTH), np.nan, np.float32)
        projections = nothing if features is None else self._projection(features)
        score = np.nan if scores is None else float(scores[0])
        return kind, correct, probabilities[0], score, projections[0], look_at(pixels)


def _drawn(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Return at most :data:`MOST_IMAGES` distinct images, in an order that is drawn."""
    distinct = list({sample.identity: sample for sample in samples}.values())
    order = np.random.default_rng(seed).permutation(len(distinct))[:MOST_IMAGES]
    return [distinct[i] for i in order]
