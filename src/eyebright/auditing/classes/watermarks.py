"""Watermarks: a patch that repeats at the same place over many images, as logos and dates do.

Fingerprints are cut into overlapping windows, and only their detail is looked at, not their shade. In each
window at the edge the patch is taken that most images share; it is a mark where far more images have it there
than have it anywhere else, and where not everything repeats, as it does before a camera that stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eyebright.auditing.duplicates.registration import detail
from eyebright.auditing.fingerprint import SIDE
from eyebright.auditing.neighbours import unit
from eyebright.auditing.records import Records
from eyebright.types import BoolArray, FloatArray, IntArray

_WINDOW, _STRIDE = 16, 8
_SEEKING = 600  # images among which a patch is sought that many share
_ALIKE, _TOGETHER, _MEMBER = 0.85, 0.85, 0.65
_FLAT = 3.0  # grey levels: what varies less shows nothing
_EDGE = 3  # pixels from the edge in which detail is that of the shade around
_LEAST_IMAGES, _LEAST_SHARE = 8, 0.02
_ELSEWHERE = 0.1  # of the share at its place may have the patch at another one
_MOST_AREA = 0.3
_READ_AT_ONCE = 1024


@dataclass(frozen=True)
class Watermark:
    """A patch that repeats.

    Attributes:
        box: its place, as fractions of the sides: top, bottom, left, right.
        having: (N,) whether an image has it.
    """

    box: tuple[float, float, float, float]
    having: BoolArray


def find_watermarks(records: Callable[[IntArray], Records], groups: IntArray, seed: int) -> list[Watermark]:
    """Return the patches that repeat at one place, each with the images that have it.

    Args:
        records: gives the records of N images that are no copies of one another, by their numbers.
        groups: (N,) numbers; images of one group, as of one product, may have the same patch.
        seed: of the images among which patches are sought.
    """
    count = len(groups)
    least = max(_LEAST_IMAGES, round(_LEAST_SHARE * count))
    if count < 2 * least:
        return []
    sought = np.sort(np.random.default_rng(seed).permutation(count)[:_SEEKING])
    shown = _patches(records(sought))
    found: dict[int, FloatArray] = {}
    for place in _margin():
        template = _shared(shown, place, least * len(sought) / count)
        if template is not None:
            found[place] = template
    marks = []
    for places in _connected(sorted(found)):
        box = _box(places)
        if (box[1] - box[0]) * (box[3] - box[2]) > _MOST_AREA:
            continue  # all of the picture repeats: the camera stands still
        having = np.zeros(count, np.bool_)
        for start in range(0, count, _READ_AT_ONCE):
            chunk = slice(start, start + _READ_AT_ONCE)
            patches = _patches(records(np.arange(count)[chunk]))
            for place in places:
                having[chunk] |= patches[:, place] @ found[place] >= _MEMBER
        if len(np.unique(groups[having])) >= least:
            marks.append(Watermark(box, having))
    return marks


def _patches(records: Records) -> FloatArray:
    """Return the detail in each window (n, W, 256), of unit length; 0 where hardly anything varies."""
    squares = detail(records["print"].astype(np.float32))
    inside = np.zeros(SIDE, np.float32)
    inside[_EDGE:-_EDGE] = 1
    squares *= np.outer(inside, inside)
    starts = range(0, SIDE - _WINDOW + 1, _STRIDE)
    windows = [squares[:, y : y + _WINDOW, x : x + _WINDOW] for y in starts for x in starts]
    flat = np.stack(windows, axis=1).reshape(len(squares), len(windows), -1)
    flat = flat - flat.mean(axis=2, keepdims=True)
    varies = np.sqrt(np.square(flat).mean(axis=2)) >= _FLAT
    rows = unit(flat.reshape(-1, flat.shape[2])).reshape(flat.shape)
    return np.asarray(rows * varies[:, :, None], np.float32)


def _shared(shown: FloatArray, place: int, least: float) -> FloatArray | None:
    """Return the patch (256,) that many images share at a place; None if they have it elsewhere too."""
    here = shown[:, place]
    alike = here @ here.T >= _ALIKE
    middle = int(alike.sum(axis=1).argmax())
    members = here[alike[middle]]
    together = members @ members.T
    if len(members) < least or together.mean() < _TOGETHER:
        return None
    template: FloatArray = unit(members.mean(axis=0, keepdims=True))[0]
    shares = (shown @ template >= _MEMBER).mean(axis=0)
    others = np.delete(shares, _near(place))
    if shares[place] * len(here) < least or others.max() > _ELSEWHERE * shares[place]:
        return None
    return template


def _near(place: int) -> IntArray:
    """Return the places whose windows overlap with one, itself included."""
    side = (SIDE - _WINDOW) // _STRIDE + 1
    row, column = divmod(np.arange(side * side), side)
    return np.flatnonzero((abs(row - place // side) < 2) & (abs(column - place % side) < 2))


def _margin() -> list[int]:
    """Return the places of windows at the edge: what repeats within is the subject."""
    side = (SIDE - _WINDOW) // _STRIDE + 1
    row, column = divmod(np.arange(side * side), side)
    edge = (0, side - 1)
    return np.flatnonzero(np.isin(row, edge) | np.isin(column, edge)).tolist()


def _connected(places: list[int]) -> list[list[int]]:
    """Return places in groups whose windows overlap."""
    groups: list[list[int]] = []
    for place in places:
        near = set(_near(place).tolist())
        joined = [group for group in groups if near & set(group)]
        groups = [group for group in groups if group not in joined]
        groups.append(sorted({place}.union(*joined)))
    return groups


def _box(places: list[int]) -> tuple[float, float, float, float]:
    side = (SIDE - _WINDOW) // _STRIDE + 1
    rows, columns = [place // side for place in places], [place % side for place in places]
    edges = (min(rows), max(rows), min(columns), max(columns))
    top, bottom, left, right = (edge * _STRIDE / SIDE for edge in edges)
    return top, bottom + _WINDOW / SIDE, left, right + _WINDOW / SIDE
