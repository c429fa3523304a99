"""A sealed model's answers for labelled images, with the features behind them, which are kept.

What is kept are rows of the file's own first half (float32, so that the answer is the file's), found by the
image's hash, that half's graph and how images are decoded. Whoever asks about the same images again, with
this model or with another head on the same network, waits for the second half only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eyebright.data.decode import DECODING, decode
from eyebright.data.manifest import Sample
from eyebright.errors import ImageError, NotFoundError, StorageError
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.sealed.split_model import Halves
from eyebright.training.cache.store import Space
from eyebright.training.cache.usage import trim
from eyebright.types import FloatArray, Skipped, UInt8Array

_KIND = "sealed features"
_ON_DISK: FloatArray = np.empty(0, np.float32)  # stands for a row that is read with its whole block
_BLOCK_ROWS = 32
_FLUSH_SECONDS = 3.0
# A space holds 8,000 images of the widest features of the embedded network, 200,000 of the narrowest.
_SPACE_BYTES = 400_000_000
_ALL_SPACES_BYTES = 2_000_000_000

#: Is shown an image's pixels (H, W, 3).
Seen: TypeAlias = Callable[[Sample, UInt8Array], None]


@dataclass(frozen=True)
class Block:
    """A few images' answers.

    Attributes:
        samples: n images that could be read.
        features: (n, D) behind the answers; None of a file that cannot be cut into halves.
        probabilities: (n, K).
        skipped: those of the block that could not be read, with the reasons.
        scores: (n,) how strange the images are; None of a file that does not tell.
    """

    samples: Sequence[Sample]
    features: FloatArray | None
    probabilities: FloatArray
    skipped: Sequence[Skipped]
    scores: FloatArray | None = None


def answers(
    model: SealedModel,
    root: Path,
    samples: Sequence[Sample],
    cache: Path | None = None,
    seen: Seen | None = None,
) -> Iterator[Block]:
    """The model's answers in blocks, in the order of ``samples`` and in constant memory, every core at work.

    Args:
        model: opened with one thread a call.
        root: of the images.
        samples: N images.
        cache: the feature cache's folder, where features are looked up and kept; None for neither.
        seen: is shown the pixels (H, W, 3) of each image that is decoded, from several threads.
    """
    halves = model.halves
    if halves is None:
        classes = len(model.labels)
        for block, rows, skipped in _blocks(samples, _reader(_joined(model), root, model.size, seen)):
            table = _table(rows, classes + model.scores_unknown)
            scores = table[:, classes] if model.scores_unknown else None
            yield Block(block, None, table[:, :classes], skipped, scores)
        return
    kept = _Kept(cache, halves, model)
    read = _reader(halves.features, root, model.size, seen)
    try:
        for block, found, skipped in _blocks(samples, lambda s: _ON_DISK if s.sha in kept else read(s)):
            features = kept.complete(block, found)
            nothing = _table([], len(model.labels)), None
            probabilities, scores = halves.answer(features) if block else nothing
            yield Block(block, features, probabilities, skipped, scores)
    finally:  # at Ctrl-C, too: what was computed is kept
        kept.flush()


class _Kept:
    """The rows on disk, as far as there is room; where nothing can be written there are none."""

    def __init__(self, cache: Path | None, halves: Halves, model: SealedModel) -> None:
        self._width = halves.width
        self._cache = cache
        self._space: Space[np.float32] | None = None
        self._room = 0
        self._trimmed = False
        self._pending, self._flushed_at = 0, time.monotonic()
        if cache is None:
            return
        card = {
            "kind": _KIND,
            "backbone": str(model.card.get("backbone", "")),
            "size": model.size,
            "precision": "float32",
            "view": "sealed",
            "front": halves.digest,
            "decoding": DECODING,
        }
        with suppress(StorageError):  # a folder that cannot be written costs time, not the answer
            self._space = Space(cache, card, self._width, np.float32)
            self._room = max(0, _SPACE_BYTES // (4 * self._width) - len(self._space))

    def __contains__(self, sha: str) -> bool:
        return self._space is not None and bytes.fromhex(sha) in self._space

    def complete(self, samples: Sequence[Sample], rows: Sequence[FloatArray]) -> FloatArray:
        """The table (n, D) of rows that were computed, which are kept, and of rows on disk."""
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
        """Writes what was added since the last time."""
        if self._space is None or self._cache is None or not self._pending:
            return
        if not self._trimmed:
            trim(self._cache, _ALL_SPACES_BYTES - _SPACE_BYTES, _KIND)
            self._trimmed = True
        self._pending, self._flushed_at = 0, time.monotonic()
        try:
            self._space.flush()
        except StorageError:  # a disk that is full costs time, not the answer
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


def _blocks(
    samples: Sequence[Sample], work: Callable[[Sample], FloatArray | Skipped]
) -> Iterator[tuple[list[Sample], list[FloatArray], list[Skipped]]]:
    """Samples with their rows, and what was skipped, a block at a time."""
    results = zip(samples, parallel(work, samples), strict=True)
    while block := list(islice(results, _BLOCK_ROWS)):
        done = [(sample, row) for sample, row in block if not isinstance(row, Skipped)]
        skipped = [row for _, row in block if isinstance(row, Skipped)]
        yield [sample for sample, _ in done], [row for _, row in done], skipped


def _reader(
    run: Callable[[UInt8Array], FloatArray], root: Path, size: int, seen: Seen | None
) -> Callable[[Sample], FloatArray | Skipped]:
    """One row (D,) or (K,) of a sample's pixels, or why there is none."""

    def read(sample: Sample) -> FloatArray | Skipped:
        try:
            pixels = decode(root / sample.path, min_side=size)
        except (ImageError, NotFoundError) as error:
            return Skipped(sample.path, error.template, error.values)
        if seen is not None:
            seen(sample, pixels)
        row: FloatArray = run(pixels[None])[0]
        return row

    return read


def _joined(model: SealedModel) -> Callable[[UInt8Array], FloatArray]:
    """Rows of probabilities and, where the file has it, of the unknown score behind them."""

    def run(images: UInt8Array) -> FloatArray:
        probabilities, scores = model.answer(images)
        return probabilities if scores is None else np.column_stack([probabilities, scores])

    return run


def _table(rows: Sequence[FloatArray], width: int) -> FloatArray:
    return np.stack(rows) if rows else np.empty((0, width), np.float32)
