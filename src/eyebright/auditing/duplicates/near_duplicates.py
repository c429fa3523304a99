"""Near duplicates that must stay in one split: found quickly, by small fingerprints that pixels confirm.

An audit finds more of them (crops of cloth, framed pictures), asks how sure it can be, and takes its time. A
split needs those that are beyond doubt: a group too many costs nothing, a pair that is missed leaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.auditing.duplicates.medoids import medoid_groups
from eyebright.auditing.duplicates.registration import register_squares
from eyebright.auditing.duplicates.resemblance import at_a_glance, resemblance
from eyebright.auditing.fingerprint import SIDE, descriptors, fingerprint
from eyebright.auditing.neighbours import near
from eyebright.data.decode import DECODING, open_rgb
from eyebright.data.header import read_image
from eyebright.data.manifest import Sample
from eyebright.errors import ImageError, NotFoundError, StorageError
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.runtime.remembered import remember, remembered
from eyebright.training.cache.selection_cache import FOLDER
from eyebright.training.cache.store import Space, default_folder
from eyebright.types import FloatArray, IntArray, JsonObject, UInt8Array

#: Raise it when other groups would be found: those in the cache depend on it.
FINDING = 2
# Of planted copies of trashnet, framed ones apart, the score is above in 97 % of each kind. So is that of 31
# of its own pairs and those of clothing10: 30 certainly show one thing twice. Below 0.927 others do not.
_LEAST_SCORE = 0.935
_LEAST_COARSE = 0.85
# At a first look nearly all copies resemble each other so much, and few pairs of other images do.
_LEAST_RESEMBLANCE = 0.8
_LEAST_SIMILARITY = 0.9
_PROPOSED = 4
_DESCRIBED_AT_ONCE = 4096
_COMPARED_PAIRS = 1000
# Grey levels between the fingerprints of two images, as their root mean square: 0 for the same pixels in a
# JPEG and in a PNG, and 62 or more for different photographs of trashnet and clothing10.
_MOST_GAP = 16.0
# Beside more images than this, reading files costs less than comparing fingerprints.
_FEW = 256


def near_duplicates(root: Path, samples: Sequence[Sample]) -> list[list[int]]:
    """Return groups of places of images that show the same picture with other pixels, the middle first.

    Images that cannot be read are in no group; that is told when their features are computed. Groups are kept
    in the cache, and so are fingerprints.

    Args:
        root: of the images.
        samples: N images, of which exact copies count once.
    """
    distinct = {sample.identity: place for place, sample in reversed(list(enumerate(samples)))}
    places = sorted(distinct.values(), key=lambda place: samples[place].key)
    keys = [samples[place].key for place in places]
    name = blake2b(b"".join([b"%d %d" % (FINDING, DECODING), *keys]), digest_size=16).hexdigest()
    file = default_folder() / FOLDER / f"near-{name}.json"
    found: Any = remembered(file)
    if found is None:
        read, squares = _fingerprints(root, [samples[place] for place in places])
        found = [[int(read[one]) for one in group] for group in _groups(squares)]
        with suppress(StorageError):  # a cache that cannot be written costs time, not the result
            remember(file, found)
    return [[places[one] for one in group] for group in found]


def may_be_copies(root: Path, samples: Sequence[Sample], others: Sequence[Sample]) -> list[Sample]:
    """Return those of ``samples`` that one of ``others`` may be a copy of: all but those that look otherwise.

    Fingerprints in the cache tell that without a file being read; those without one are among the result.

    Args:
        root: of the images.
        samples: N images.
        others: some images, whose fingerprints are taken.
    """
    if len(others) > _FEW:
        return list(samples)
    _, squares = _fingerprints(root, others)
    wanted, space = squares.reshape(len(squares), SIDE * SIDE).astype(np.float32), _space()
    found = ~space.contains([s.key for s in samples])
    known = np.flatnonzero(~found)
    for first in range(0, len(known), _DESCRIBED_AT_ONCE):
        places = known[first : first + _DESCRIBED_AT_ONCE]
        rows = space.read([samples[place].key for place in places]).astype(np.float32)
        gaps = np.square(rows).sum(axis=1)[:, None] + np.square(wanted).sum(axis=1) - 2 * rows @ wanted.T
        found[places] = gaps.min(axis=1, initial=np.inf) <= rows.shape[1] * _MOST_GAP**2
    return [s for s, may_be in zip(samples, found, strict=True) if may_be]


def alike_within(samples: Sequence[Sample], groups: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return how alike fingerprints of two images are, at the median: in one group, and in two.

    Args:
        samples: N images, whose fingerprints :func:`near_duplicates` has taken.
        groups: places of the images of each group of two or more.
    """
    space = _space()
    pairs = [(group[i], group[i + 1]) for group in groups for i in range(len(group) - 1)]
    known = [pair for pair in pairs if all(samples[place].key in space for place in pair)][:_COMPARED_PAIRS]
    if len(known) < 2:
        return float("nan"), float("nan")
    squares = space.read([samples[place].key for pair in known for place in pair]).reshape(-1, SIDE, SIDE)
    rows = descriptors(squares.astype(np.float32))
    first, second = rows[::2], rows[1::2]
    # The first of each pair beside the second of a pair half of the list away, which is of another group.
    other = np.roll(second, len(second) // 2, axis=0)
    within, across = (np.median((first * some).sum(axis=1)) for some in (second, other))
    return float(within), float(across)


def _groups(squares: UInt8Array) -> Iterable[IntArray]:
    """Return groups of fingerprints (N, 64, 64) of one picture, all compared with the middle of theirs."""
    if len(squares) < 2:
        return []
    starts = range(0, len(squares), _DESCRIBED_AT_ONCE)
    chunks = [squares[start : start + _DESCRIBED_AT_ONCE] for start in starts]
    rows = np.concatenate([descriptors(chunk.astype(np.float32)) for chunk in chunks])
    first, second = _proposed(rows)
    small = np.concatenate([at_a_glance(chunk[:, None]) for chunk in chunks])
    alike = resemblance(small, small, (first, second)) >= _LEAST_RESEMBLANCE
    first, second = first[alike], second[alike]
    score = register_squares(squares[first], squares[second], _LEAST_COARSE).score
    sure = score >= _LEAST_SCORE
    return medoid_groups(first[sure], second[sure], score[sure])


def _proposed(rows: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the pairs (P,) of rows (N, F) that are most alike, each once."""
    asked, met = near(len(rows), lambda block: rows[block], (rows,), _LEAST_SIMILARITY, _PROPOSED + 1)
    low, high = np.minimum(asked, met), np.maximum(asked, met)
    pairs = np.unique((low * len(rows) + high)[low < high])
    return pairs // len(rows), pairs % len(rows)


def _fingerprints(root: Path, samples: Sequence[Sample]) -> tuple[IntArray, UInt8Array]:
    """Return the fingerprints (n, 64, 64) of the samples that can be read, and which these are (n,)."""
    space = _space()
    missing = [s for s in samples if s.key not in space]
    if missing:
        with progress_task("Looking for near duplicates", total=len(missing)) as task:

            def measured(sample: Sample) -> UInt8Array | None:
                try:
                    data = read_image(root / sample.path, sample.sha)
                    picture = open_rgb(data, min_side=SIDE, white_level=sample.white_level)
                    return fingerprint(picture.convert("L")).reshape(-1)
                except (ImageError, NotFoundError):
                    return None
                finally:
                    task.advance()

            rows = zip(missing, parallel(measured, missing), strict=True)
            space.keep((sample.key, row) for sample, row in rows if row is not None)
    known = np.array([place for place, s in enumerate(samples) if s.key in space], np.int64)
    rows_read = space.read([samples[place].key for place in known])
    return known, rows_read.reshape(-1, SIDE, SIDE)


def _space() -> Space[np.uint8]:
    card: JsonObject = {
        "kind": "fingerprints",
        "backbone": "fingerprint",
        "size": SIDE,
        "precision": "uint8",
        "view": "fingerprint",
        "decoding": DECODING,
    }
    return Space(default_folder(), card, SIDE * SIDE, np.uint8)
