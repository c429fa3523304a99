"""A sealed model's predictions for labelled images, with the features behind them, which are cached.

The cached features are those of the file's own first graph (float32, so that the predictions are the file's),
keyed by the image's hash, that graph and how images are decoded. A second run on the same images, with this
model or with another head on the same backbone, computes the second graph only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from eyebright.cluster.choose import cluster_in_use
from eyebright.data.decode import DECODING, decode
from eyebright.data.header import read_image
from eyebright.data.image_properties import looks
from eyebright.data.manifest import Sample
from eyebright.errors import ClusterError, EyebrightError, ImageError, NotFoundError, StorageError
from eyebright.runtime.compact.rows import changed, kept, values
from eyebright.runtime.context import progress_task
from eyebright.runtime.machine import usable_cores
from eyebright.runtime.onnx_session import open_session, run
from eyebright.runtime.parallel import parallel
from eyebright.runtime.telemetry import load_onnxruntime
from eyebright.sealed.contract import check_probabilities
from eyebright.sealed.graph import INPUT
from eyebright.sealed.image_statistics import ImageStatistics
from eyebright.sealed.model import SealedModel
from eyebright.sealed.split_model import SplitModel
from eyebright.sealed.subgraphs import FEATURES
from eyebright.training.cache.fill import LEAST_IMAGES, compute_rows, distinct, fill, read_shared, shared_file
from eyebright.training.cache.store import Space
from eyebright.training.cache.usage import trim
from eyebright.types import FloatArray, JsonObject, ShardJson, Skipped, UInt8Array

_KIND = "sealed features"
_ON_DISK: FloatArray = np.empty(0, np.float32)  # stands for a row that is read with its whole block
_BLOCK_ROWS = 32
_FLUSH_SECONDS = 3.0
# A space holds 8,000 images of the widest features of the embedded network, 200,000 of the narrowest.
_SPACE_BYTES = 400_000_000
_ALL_SPACES_BYTES = 2_000_000_000

#: Receives a decoded image, pixels (H, W, 3).
OnDecoded: TypeAlias = Callable[[Sample, UInt8Array], None]


@dataclass(frozen=True)
class PredictedBlock:
    """The predictions for a few images.

    Attributes:
        samples: n images that could be read.
        features: (n, D) behind the predictions; None of a file that cannot be split at its features.
        probabilities: (n, K).
        skipped: images of the block that could not be read, with the reasons.
        scores: OOD scores (n,); None of a file that gives none.
    """

    samples: Sequence[Sample]
    features: FloatArray | None
    probabilities: FloatArray
    skipped: Sequence[Skipped]
    scores: FloatArray | None = None


def predict_blocks(
    model: SealedModel,
    root: Path,
    samples: Sequence[Sample],
    cache: Path | None = None,
    on_decoded: OnDecoded | None = None,
) -> Iterator[PredictedBlock]:
    """Predict in blocks, in the order of ``samples``, in constant memory and on all cores.

    Args:
        model: opened with one thread a call.
        root: of the images.
        samples: N images.
        cache: the feature cache's folder, where features are looked up and stored; None for neither.
        on_decoded: receives the pixels (H, W, 3) of each image that is decoded, from several threads.
    """
    split = model.split_model
    if split is None:
        classes = len(model.labels)
        read = _reader(_scored_row(model), root, model, on_decoded)
        for block, rows, skipped in _blocks(samples, read):
            table = _table(rows, classes + model.has_ood_score)
            scores = table[:, classes] if model.has_ood_score else None
            yield PredictedBlock(block, None, table[:, :classes], skipped, scores)
        return
    kept = _CachedFeatures(cache, split, model)
    kept.fill(root, samples)
    read = _reader(lambda pixels, _: split.features(pixels[None])[0], root, model, on_decoded)
    try:
        for block, found, skipped in _blocks(samples, lambda s: _ON_DISK if s.sha in kept else read(s)):
            features = kept.complete(block, found)
            nothing = _table([], len(model.labels)), None
            texts = [s.text for s in block] if model.has_text else None
            probabilities, scores = split.predict(features, texts) if block else nothing
            check_probabilities(probabilities, len(block), len(model.labels))
            yield PredictedBlock(block, features, probabilities, skipped, scores)
    finally:  # at Ctrl-C, too: what was computed is stored
        kept.flush()


class _CachedFeatures:
    """Features on disk, as far as there is room; none where nothing can be written."""

    def __init__(self, cache: Path | None, split: SplitModel, model: SealedModel) -> None:
        self._split, self._model = split, model
        self._width = split.width
        self._cache = cache
        self._space: Space[np.float32] | None = None
        self._room = 0
        self._trimmed = False
        self._pending, self._flushed_at = 0, time.monotonic()
        if cache is None:
            return
        card: JsonObject = {
            "kind": _KIND,
            "backbone": str(model.card.content.get("backbone", "")),
            "size": model.size,
            "precision": "float32",
            "view": "sealed",
            "front": split.digest,
            "decoding": DECODING,
            "white_level": model.white_level,
        }
        with suppress(StorageError):  # a folder that cannot be written costs time, not the result
            self._space = Space(cache, card, self._width, np.float32)
            self._room = max(0, _SPACE_BYTES // (4 * self._width) - len(self._space))

    def fill(self, root: Path, samples: Sequence[Sample]) -> None:
        """Have a cluster compute the features that are not on disk, where one is in use."""
        cluster = cluster_in_use()
        if cluster is None or self._space is None or self._cache is None:
            return
        lacking = kept(samples, (sha not in self for sha in values(samples, "sha")))
        if len(lacking) < LEAST_IMAGES:
            return
        # The key is the hash alone.
        missing = (replace(s, white_level=0) if s.white_level else s for s in lacking)
        images = distinct(changed(lacking, missing))
        looks = ImageStatistics(self._cache, self._model.size, self._model.white_level).space
        spaces = [self._space, *([] if looks is None else [looks])]
        job: JsonObject = {
            "graph": str(shared_file(self._cache, self._split.front)),
            "onnxruntime": load_onnxruntime().__version__,
            "size": self._model.size,
            "white_level": self._model.white_level,
        }
        with progress_task(
            "Computing features at {size} px", total=len(images), size=self._model.size
        ) as task:
            fill(cluster, sealed_shard, job, root, images, spaces, task)
        self._room = 0  # what a cluster has computed is kept whole, and nothing is added to it

    def __contains__(self, sha: str) -> bool:
        return self._space is not None and bytes.fromhex(sha) in self._space

    def complete(self, samples: Sequence[Sample], rows: Sequence[FloatArray]) -> FloatArray:
        """Return the table (n, D) of computed rows, which are stored, and of rows on disk."""
        table = np.empty((len(rows), self._width), np.float32)
        on_disk = [i for i, row in enumerate(rows) if row is _ON_DISK]
        for i, row in enumerate(rows):
            if row is not _ON_DISK:
                table[i] = row
        if self._space is not None and on_disk:
            table[on_disk] = self._space.read([bytes.fromhex(samples[i].sha) for i in on_disk])
        self._keep({s.sha: row for s, row in zip(samples, rows, strict=True) if row is not _ON_DISK})
        return table

    def flush(self) -> None:
        """Write the rows that were added since the last time."""
        if self._space is None or self._cache is None or not self._pending:
            return
        if not self._trimmed:
            trim(self._cache, _ALL_SPACES_BYTES - _SPACE_BYTES, _KIND)
            self._trimmed = True
        self._pending, self._flushed_at = 0, time.monotonic()
        try:
            self._space.flush()
        except StorageError:  # a full disk costs time, not the result
            self._room = 0

    def _keep(self, rows: dict[str, FloatArray]) -> None:
        if self._space is None:
            return
        for sha, row in islice(rows.items(), self._room):
            self._space.add(bytes.fromhex(sha), row)
            self._pending += 1
            self._room -= 1
        if time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
            self.flush()


def sealed_shard(content: ShardJson) -> JsonObject:
    """Compute and write the features and the looks of a shard, in a worker of a cluster.

    Raises:
        ClusterError: the worker has another ONNX Runtime, whose features may differ.
    """
    session = _shared_session(content["graph"], content["onnxruntime"])

    def rows(root: Path, sample: Sample) -> list[FloatArray] | EyebrightError:
        try:
            data = read_image(root / sample.path, sample.sha)
            pixels = decode(data, min_side=content["size"], white_level=content["white_level"])
            features = run(session, [FEATURES], {INPUT: pixels[None]})[0][0]
        except (ImageError, NotFoundError) as error:
            return error.with_traceback(None)
        return [features, looks(pixels)][: len(content["folders"])]

    return compute_rows(content, rows, usable_cores())


@lru_cache(maxsize=1)
def _shared_session(graph: str, version: str) -> Any:
    """Return the session of a worker, which stays for the next shard."""
    own = load_onnxruntime().__version__
    if own != version:
        raise ClusterError(
            "All workers must have the same ONNX Runtime, or features may differ. A worker has {there}; "
            "this machine has {here}. Install it there.",
            here=version,
            there=own,
        )
    return open_session(read_shared(Path(graph)))


def _blocks(
    samples: Sequence[Sample], work: Callable[[Sample], FloatArray | Skipped]
) -> Iterator[tuple[list[Sample], list[FloatArray], list[Skipped]]]:
    """Yield samples with their rows, and what was skipped, one block at a time."""
    results = zip(samples, parallel(work, samples), strict=True)
    while block := list(islice(results, _BLOCK_ROWS)):
        done = [(sample, row) for sample, row in block if not isinstance(row, Skipped)]
        skipped = [row for _, row in block if isinstance(row, Skipped)]
        yield [sample for sample, _ in done], [row for _, row in done], skipped


def _reader(
    run: Callable[[UInt8Array, Sample], FloatArray],
    root: Path,
    model: SealedModel,
    on_decoded: OnDecoded | None,
) -> Callable[[Sample], FloatArray | Skipped]:
    """Return a function that decodes a sample and runs the model on it: one row, or why there is none."""

    def read(sample: Sample) -> FloatArray | Skipped:
        try:
            pixels = model.pixels(root / sample.path, sample.sha)
        except (ImageError, NotFoundError) as error:
            return Skipped(sample.path, error.template, error.values)
        if on_decoded is not None:
            on_decoded(sample, pixels)
        try:
            row = run(pixels, sample)
        except ImageError as error:
            return Skipped(sample.path, error.template, error.values)
        return row

    return read


def _scored_row(model: SealedModel) -> Callable[[UInt8Array, Sample], FloatArray]:
    """Return a function for a row of probabilities, followed by the OOD score if the file gives one."""

    def run(pixels: UInt8Array, sample: Sample) -> FloatArray:
        probabilities, scores = model.predict_batch(pixels[None], [sample.text])
        return probabilities[0] if scores is None else np.append(probabilities[0], scores)

    return run


def _table(rows: Sequence[FloatArray], width: int) -> FloatArray:
    return np.stack(rows) if rows else np.empty((0, width), np.float32)
