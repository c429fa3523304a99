"""Brightness, contrast and sharpness of a sealed model's images, measured as they are decoded, and cached."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from eyebright.data.decode import DECODING, decode
from eyebright.data.header import read_image
from eyebright.data.image_properties import LOOKING, LOOKS, looks
from eyebright.data.manifest import Sample
from eyebright.errors import ImageError, NotFoundError, StorageError
from eyebright.runtime.parallel import parallel
from eyebright.training.cache.store import Space
from eyebright.types import FloatArray, JsonObject, UInt8Array


class ImageStatistics:
    """Measure images once, by their hash.

    Args:
        cache: the feature cache's folder; None stores nothing.
        size: side S in pixels of the model that decodes them, on which reduced decoding depends.
        white_level: of that model.
    """

    def __init__(self, cache: Path | None, size: int, white_level: int | None) -> None:
        self._size = size
        self._white_level = white_level
        self._measured: dict[str, FloatArray] = {}
        self.space: Space[np.float32] | None = None
        card: JsonObject = {
            "kind": "looks",
            "backbone": "brightness, contrast, sharpness",
            "size": size,
            "precision": "float32",
            "view": "sealed",
            "decoding": DECODING,
            "looking": LOOKING,
            "white_level": white_level,
        }
        if cache is not None:
            with suppress(StorageError):  # a folder that cannot be written costs time, not the result
                self.space = Space(cache, card, len(LOOKS), np.float32)

    def measure(self, sample: Sample, pixels: UInt8Array) -> None:
        """Measure an image that was decoded anyway; safe to call from several threads."""
        if not self._knows(sample):
            self._measured[sample.sha] = looks(pixels)

    def table(self, root: Path, samples: Sequence[Sample]) -> FloatArray:
        """Return (N, 3) for N samples, NaN for unreadable ones; images not measured yet are decoded now."""
        if self.space is not None:
            self.space.refresh()
        missing = [sample for sample in samples if not self._knows(sample)]
        for _ in parallel(lambda sample: self._decode(root, sample), missing):
            pass
        table = np.full((len(samples), len(LOOKS)), np.nan, np.float32)
        on_disk = []
        for i, sample in enumerate(samples):
            if sample.sha in self._measured:
                table[i] = self._measured[sample.sha]
            elif self._knows(sample):
                on_disk.append(i)
        if self.space is not None and on_disk:
            table[on_disk] = self.space.read([bytes.fromhex(samples[i].sha) for i in on_disk])
        self._keep()
        return table

    def _knows(self, sample: Sample) -> bool:
        kept = self.space is not None and bytes.fromhex(sample.sha) in self.space
        return kept or sample.sha in self._measured

    def _decode(self, root: Path, sample: Sample) -> None:
        with suppress(ImageError, NotFoundError):
            self.measure(
                sample,
                decode(
                    read_image(root / sample.path, sample.sha),
                    min_side=self._size,
                    white_level=self._white_level,
                ),
            )

    def _keep(self) -> None:
        if self.space is None:
            return
        with suppress(StorageError):
            self.space.keep((bytes.fromhex(sha), row) for sha, row in self._measured.items())
            self._measured.clear()
