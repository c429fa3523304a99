"""Pixels confirm a copy: two fingerprints are laid over each other, and correlated where they overlap.

A mirrored or turned, cropped, squashed and brightened copy is the image after one of eight turns, with a
scale and a shift along each axis and a gain. The turn is tried, the rest found by Gauss-Newton steps from
coarse to fine (Lucas and Kanade 1981; Baker and Matthews 2004). Along the axes, resampling is a product with
a small matrix on either side, so hundreds of pairs are registered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.auditing.fingerprint import SIDE
from eyebright.auditing.records import Records, is_framed
from eyebright.runtime.parallel import parallel
from eyebright.types import FloatArray, IntArray, UInt8Array

#: How many turns a square has: from 4 on mirrored, modulo 4 by quarters.
TURNS = 8
#: The first turn that is mirrored.
MIRRORED = TURNS // 2
_AT_ONCE = 256
_READ_AT_ONCE = 4096  # pairs, whose records take 70 MB
_SIDES = (16, 32, 64)
_STEPS = (5, 4, 3)
_LIKELY = 4  # turns that are tried at all: those under which the pictures are most alike as they are
_TRIED = 2  # turns that are tried beyond the coarsest look
_LEAST_MIDDLE = 0.3  # at the middle side, likewise
_LEAST_COARSE = 0.3  # planted copies are above, most of what is proposed is below
_SCALES = (0.55, 1.8)
_FARTHEST = 0.6
_LONGEST_STEP = 0.15
_LEAST_OVERLAP = 0.5
_DETAIL = 7  # is what remains when the mean over so many pixels is taken away: lids differ in little else
_LEAST_BORDER = 0.01
_WINDOW = 0.93


@dataclass(frozen=True)
class Registration:
    """How well pairs match where they overlap.

    Attributes:
        score: (P,) correlation of the pixels or of their detail, whichever is less; 0 without an overlap.
        turn: (P,) the turn of the second picture.
    """

    score: FloatArray
    turn: IntArray


def register(first: Records, second: Records) -> Registration:
    """Lay the pictures of second records over those of first ones (P,), with their borders and without.

    Returns:
        Of each pair the better registration. Where both are framed it is that without borders: screenshots
        have their frame in common, whatever they show.
    """
    found = register_squares(first["print"], second["print"])
    bordered = np.maximum(first["borders"], second["borders"]).max(axis=1, initial=0) > _LEAST_BORDER
    places = np.flatnonzero(bordered)
    if places.size:
        again = register_squares(first["inside"][places], second["inside"][places])
        better = (again.score > found.score[places]) | (is_framed(first) & is_framed(second))[places]
        found.score[places[better]], found.turn[places[better]] = again.score[better], again.turn[better]
    return found


def register_pairs(
    first: Callable[[IntArray], Records],
    second: Callable[[IntArray], Records],
    pairs: tuple[IntArray, IntArray],
) -> Registration:
    """Register many pairs (P,), of which some thousands of records are in memory at a time.

    Args:
        first: gives the records of the first pictures by their numbers.
        second: likewise.
        pairs: the two numbers of each pair.
    """
    starts = range(0, len(pairs[0]), _READ_AT_ONCE)
    chunks = [tuple(numbers[start : start + _READ_AT_ONCE] for numbers in pairs) for start in starts]
    return joined_registrations([register(first(a), second(b)) for a, b in chunks])


def joined_registrations(parts: Sequence[Registration]) -> Registration:
    """Return the registrations of some pairs and of others as those of them all."""
    return Registration(
        np.concatenate([np.zeros(0, np.float32), *(some.score for some in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(some.turn for some in parts)]),
    )


def windows(squares: UInt8Array) -> FloatArray:
    """Return nine parts (P, 9, 64, 64) of squares (P, 64, 64), each a little smaller than the whole."""
    shifts = (-(1 - _WINDOW), 0.0, 1 - _WINDOW)
    whole = squares.astype(np.float32)
    places = [(_WINDOW, _WINDOW, down, across) for down in shifts for across in shifts]
    parts = [_resampled(whole, np.tile(np.array(place, np.float32), (len(whole), 1)))[0] for place in places]
    return np.stack(parts, axis=1)


def turned(squares: FloatArray, turn: int) -> FloatArray:
    """Return squares (..., S, S) mirrored and turned by quarters."""
    flipped = squares[..., ::-1] if turn >= MIRRORED else squares
    return np.rot90(flipped, turn % 4, axes=(-2, -1))


def _pyramid(squares: UInt8Array) -> list[FloatArray]:
    """Return squares (P, 64, 64) at each side; the finest a little smoothed, as resampling smooths others."""
    whole = squares.astype(np.float32) / 255
    coarse = [
        whole.reshape(len(whole), side, SIDE // side, side, SIDE // side).mean(axis=(2, 4), dtype=np.float32)
        for side in _SIDES[:-1]
    ]
    near = np.maximum(2 - np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE))), 0).astype(np.float32)
    near /= near.sum(axis=1, keepdims=True)
    return [*coarse, near @ whole @ near.T]


def register_squares(
    first: UInt8Array, second: UInt8Array, least_coarse: float = _LEAST_COARSE
) -> Registration:
    """Lay second squares (P, 64, 64) over first ones.

    What scores less than ``least_coarse`` at the coarsest look is not looked at again, and scores 0.
    """
    starts = range(0, len(first), _AT_ONCE)
    chunks = [slice(start, start + _AT_ONCE) for start in starts]
    parts = list(
        parallel(
            lambda chunk: _register(_pyramid(first[chunk]), _pyramid(second[chunk]), least_coarse), chunks
        )
    )
    return joined_registrations([Registration(*part) for part in parts])


def _register(
    first: list[FloatArray], second: list[FloatArray], least_coarse: float
) -> tuple[FloatArray, IntArray]:
    """Return score and turn (P,) of pairs of pyramids: all turns coarsely, the best ones finely."""
    count = len(first[0])
    score, turn = np.zeros(count, np.float32), np.zeros(count, np.int64)
    shown = [turned(second[0], number) for number in range(TURNS)]
    everywhere = np.ones_like(first[0])
    plain = np.stack([_correlation(first[0], one, everywhere) for one in shown])
    likely = plain >= np.sort(plain, axis=0)[-_LIKELY]
    warps = np.zeros((TURNS, count, 4), np.float32)
    coarse = np.zeros((TURNS, count), np.float32)
    for number, some in enumerate(likely):
        target, laid = first[0][some], shown[number][some]
        warps[number, some] = _warp([target], [laid])
        coarse[number, some] = _score(target, laid, warps[number, some])
    order = np.argsort(-coarse, axis=0, kind="stable")
    for tried in order[:_TRIED]:
        for number in range(TURNS):
            mine = np.flatnonzero((tried == number) & (coarse[number] >= least_coarse))
            if not mine.size:
                continue
            target, laid = first[1][mine], turned(second[1][mine], number)
            warp = _warp([target], [laid], warps[number][mine])
            going = _score(target, laid, warp) >= _LEAST_MIDDLE
            mine, warp = mine[going], warp[going]
            target, laid = first[2][mine], turned(second[2][mine], number)
            found = _score(target, laid, _warp([target], [laid], warp))
            better = found > score[mine]
            places = mine[better]
            score[places], turn[places] = found[better], number
    return score, turn


def _warp(first: list[FloatArray], second: list[FloatArray], start: FloatArray | None = None) -> FloatArray:
    """Return scales and shifts (P, 4) along both axes that lay the second squares over the first."""
    identity = np.array([1, 1, 0, 0], np.float32)
    warp = np.tile(identity, (len(first[0]), 1)) if start is None else start
    for target, source in zip(first, second, strict=True):
        for _ in range(_STEPS[_SIDES.index(target.shape[-1])]):
            warp = _step(warp, target, source)
    return warp


def _step(warp: FloatArray, target: FloatArray, source: FloatArray) -> FloatArray:
    """Return the warp after one damped Gauss-Newton step on scales, shifts, gain and offset."""
    side = target.shape[-1]
    shown, mask = _resampled(source, warp)
    at = _places(side)
    # Derivatives by the place in the target, over the scale: those by the place in the source.
    down = np.gradient(shown, axis=1) * (side / 2) / warp[:, 0, None, None]
    across = np.gradient(shown, axis=2) * (side / 2) / warp[:, 1, None, None]
    normal, error = _normal(down, across, shown, target - shown, mask, at)
    damping = 1e-3 * np.einsum("pii->p", normal)[:, None, None] / 6 + 1e-6
    change = np.linalg.solve(normal + damping * np.eye(6, dtype=np.float32), error)[:, :4, 0]
    moved = warp + np.clip(change, -_LONGEST_STEP, _LONGEST_STEP)
    moved[:, :2] = np.clip(moved[:, :2], *_SCALES)
    moved[:, 2:] = np.clip(moved[:, 2:], -_FARTHEST, _FARTHEST)
    return np.asarray(np.where(np.isfinite(moved).all(axis=1, keepdims=True), moved, warp), np.float32)


def _normal(
    down: FloatArray,
    across: FloatArray,
    shown: FloatArray,
    error: FloatArray,
    mask: FloatArray,
    at: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the normal equations (P, 6, 6) and (P, 6, 1) of the scales, shifts, gain and offset.

    The six columns are the derivative down times the row, that across times the column, both derivatives, the
    picture and 1. Rows and columns are the same in all pairs, so sums along them come first.
    """
    weights = np.stack([np.ones_like(at), at, at * at])  # powers of the place
    normal = np.empty((len(down), 6, 6), np.float32)
    right = np.empty((len(down), 6, 1), np.float32)
    a, b, s = down * mask, across * mask, shown * mask
    aa, bb = (a * down).sum(axis=2) @ weights.T, (b * across).sum(axis=1) @ weights.T
    ab = weights[:2] @ (a * across) @ weights[:2].T
    a_s, b_s = (a * shown).sum(axis=2) @ weights[:2].T, (b * shown).sum(axis=1) @ weights[:2].T
    a1, b1 = a.sum(axis=2) @ weights[:2].T, b.sum(axis=1) @ weights[:2].T
    ae, be = (a * error).sum(axis=2) @ weights[:2].T, (b * error).sum(axis=1) @ weights[:2].T
    normal[:, 0, 0], normal[:, 0, 2], normal[:, 2, 2] = aa[:, 2], aa[:, 1], aa[:, 0]
    normal[:, 1, 1], normal[:, 1, 3], normal[:, 3, 3] = bb[:, 2], bb[:, 1], bb[:, 0]
    normal[:, 0, 1], normal[:, 0, 3] = ab[:, 1, 1], ab[:, 1, 0]
    normal[:, 1, 2], normal[:, 2, 3] = ab[:, 0, 1], ab[:, 0, 0]
    normal[:, 0, 4], normal[:, 2, 4] = a_s[:, 1], a_s[:, 0]
    normal[:, 1, 4], normal[:, 3, 4] = b_s[:, 1], b_s[:, 0]
    normal[:, 0, 5], normal[:, 2, 5] = a1[:, 1], a1[:, 0]
    normal[:, 1, 5], normal[:, 3, 5] = b1[:, 1], b1[:, 0]
    normal[:, 4, 4], normal[:, 4, 5] = (s * shown).sum(axis=(1, 2)), s.sum(axis=(1, 2))
    normal[:, 5, 5] = mask.sum(axis=(1, 2))
    lower = np.tril_indices(6, -1)
    normal[:, lower[0], lower[1]] = normal[:, lower[1], lower[0]]
    right[:, 0, 0], right[:, 2, 0], right[:, 1, 0], right[:, 3, 0] = ae[:, 1], ae[:, 0], be[:, 1], be[:, 0]
    right[:, 4, 0], right[:, 5, 0] = (s * error).sum(axis=(1, 2)), (error * mask).sum(axis=(1, 2))
    return normal, right


def _places(side: int) -> FloatArray:
    """Return the middles of ``side`` pixels, from -1 to 1."""
    return ((2 * np.arange(side, dtype=np.float32) + 1) / side - 1).astype(np.float32)


def _resampled(source: FloatArray, warp: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return squares (P, S, S) under their warps, bilinear, and the mask of what the source covers."""
    side = source.shape[-1]
    pixels = np.arange(side, dtype=np.float32)
    sides, inside = [], []
    for axis in range(2):
        place = warp[:, axis, None] * _places(side) + warp[:, 2 + axis, None]
        pixel = (place + 1) * (side / 2) - 0.5
        inside.append(((pixel > -0.75) & (pixel < side - 0.25)).astype(np.float32))
        pixel = np.clip(pixel, 0, side - 1)
        sides.append(np.maximum(1 - np.abs(pixel[:, :, None] - pixels), 0).astype(np.float32))
    shown = sides[0] @ source @ sides[1].transpose(0, 2, 1)
    return shown, inside[0][:, :, None] * inside[1][:, None, :]


def _score(first: FloatArray, second: FloatArray, warp: FloatArray) -> FloatArray:
    """Return the score (P,) of second squares laid over first ones."""
    shown, mask = _resampled(second, warp)
    overlap = mask.mean(axis=(1, 2)) * np.minimum(1, warp[:, 0] * warp[:, 1])
    whole, fine = _correlation(first, shown, mask), _correlation(detail(first), detail(shown), mask)
    score = np.where(overlap >= _LEAST_OVERLAP, np.clip(np.minimum(whole, fine), 0, 1), 0)
    return score.astype(np.float32)


def _correlation(a: FloatArray, b: FloatArray, mask: FloatArray) -> FloatArray:
    """Return (P,) correlations under the mask; 0 of what does not vary."""
    total = np.maximum(mask.sum(axis=(1, 2), keepdims=True), 1)
    a, b = ((one - (one * mask).sum(axis=(1, 2), keepdims=True) / total) * mask for one in (a, b))
    size = np.sqrt((a * a).sum(axis=(1, 2)) * (b * b).sum(axis=(1, 2)))
    return np.asarray((a * b).sum(axis=(1, 2)) / np.maximum(size, 1e-3), np.float32)


def detail(squares: FloatArray) -> FloatArray:
    """Return what remains of squares without their means over some pixels around."""
    at = np.arange(squares.shape[-1])
    reach = min(_DETAIL, len(at) // 3) // 2
    near = (np.abs(np.subtract.outer(at, at)) <= reach).astype(np.float32)
    near /= near.sum(axis=1, keepdims=True)
    return np.asarray(squares - near @ squares @ near.T, np.float32)
