"""Images as squares of uint8, decoded once for all epochs and all runs, or anew whenever they are wanted.

Stored squares are read and not mapped: the system keeps in memory what is read again and again, and a file
that is cut off under a mapping would kill the process, while a short read can be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from eyebright.data.decode import load_sample
from eyebright.data.manifest import Sample
from eyebright.errors import EyebrightError, ImageError, NotFoundError
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.training.cache.store import Space
from eyebright.types import IntArray, Interpolation, JsonObject, Skipped, UInt8Array


class Pixels(Protocol):
    """The images of a part, each squashed to a square as the sealed model does it.

    Attributes:
        samples: the images that can be read.
        size: S.
    """

    samples: Sequence[Sample]
    size: int

    def rows(self, places: IntArray) -> UInt8Array:
        """Return the images (b, S, S, 3) at ``places`` of :attr:`samples`; may be called from any thread."""


def open_pixels(
    root: Path, samples: Sequence[Sample], size: int, interpolation: Interpolation, cache: Path | None
) -> tuple[Pixels, list[Skipped]]:
    """Decode every image once, and give access to those that can be read.

    Args:
        root: what the samples' paths are relative to.
        samples: the images.
        size: S.
        interpolation: of the resize to a square.
        cache: folder that the squares are kept in; None decodes them whenever they are wanted.

    Returns:
        The images, and those that were left out with the reasons.

    Raises:
        StorageError: the disk lacks room.
    """
    decoder = _Decoder(root, size, interpolation)
    unreadable: dict[str, EyebrightError] = {}
    store = None if cache is None else _space(cache, size, interpolation)
    unique = {s.sha: s for s in samples}
    missing = [s for s in unique.values() if store is None or s.key not in store]
    if missing:
        if store is not None:
            store.check_room(len(missing))
        with progress_task("Decoding images", total=len(missing)) as task:
            squares = decoder.squares(missing, unreadable, task)
            if store is None:
                for _ in squares:  # only to know which can be read
                    pass
            else:
                store.keep((key, square.reshape(-1)) for key, square in squares)
    kept = [s for s in samples if s.sha not in unreadable]
    skipped = [
        Skipped(s.path, error.template, error.values) for s in samples if (error := unreadable.get(s.sha))
    ]
    pixels = DecodedPixels(kept, decoder) if store is None else StoredPixels(kept, size, store)
    return pixels, skipped


class StoredPixels:
    """Squares that lie in the cache."""

    def __init__(self, samples: Sequence[Sample], size: int, space: Space[np.uint8]) -> None:
        self.samples = samples
        self.size = size
        self._space = space
        self._keys = [s.key for s in samples]

    def rows(self, places: IntArray) -> UInt8Array:
        """See :class:`Pixels`.

        Raises:
            StorageError: the cache was removed meanwhile.
        """
        rows = self._space.read([self._keys[place] for place in places])
        return rows.reshape(-1, self.size, self.size, 3)


class DecodedPixels:
    """Squares that are made when they are wanted, by one thread a core."""

    def __init__(self, samples: Sequence[Sample], decoder: _Decoder) -> None:
        self.samples = samples
        self.size = decoder.size
        self._decoder = decoder

    def rows(self, places: IntArray) -> UInt8Array:
        """See :class:`Pixels`.

        Raises:
            ImageError, NotFoundError: an image was damaged or removed meanwhile.
        """
        squares = parallel(self._decoder.square, [self.samples[place] for place in places])
        return np.stack(list(squares)) if len(places) else np.empty((0, self.size, self.size, 3), np.uint8)


class _Decoder:
    def __init__(self, root: Path, size: int, interpolation: Interpolation) -> None:
        self.root, self.size, self.interpolation = root, size, interpolation

    def square(self, sample: Sample) -> UInt8Array:
        return load_sample(self.root, sample, self.size, self.interpolation)

    def squares(
        self, samples: Sequence[Sample], unreadable: dict[str, EyebrightError], task: Task
    ) -> Iterator[tuple[bytes, UInt8Array]]:
        """Yield squares by their keys; images that cannot be read enter ``unreadable`` instead."""
        for sample, square in parallel(lambda s: (s, self._try(s)), samples):
            task.advance()
            if isinstance(square, EyebrightError):
                unreadable[sample.sha] = square
            else:
                yield sample.key, square

    def _try(self, sample: Sample) -> UInt8Array | EyebrightError:
        try:
            return self.square(sample)
        except (ImageError, NotFoundError) as error:
            return error.with_traceback(None)


def _space(cache: Path, size: int, interpolation: Interpolation) -> Space[np.uint8]:
    card: JsonObject = {
        "backbone": "pixels",
        "size": size,
        "precision": "uint8",
        "view": 0,
        "interpolation": interpolation,
    }
    return Space(cache, card, size * size * 3, np.uint8)
