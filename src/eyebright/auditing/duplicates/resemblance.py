"""A first look at pairs: their pictures at 8 x 8 pixels under every turn."""

from __future__ import annotations

import numpy as np

from eyebright.auditing.duplicates.registration import TURNS, turned
from eyebright.auditing.fingerprint import SIDE
from eyebright.auditing.records import Records
from eyebright.types import FloatArray, IntArray, UInt8Array

_SIDE = 8
_AT_ONCE = 1 << 15
# Where each pixel of a square comes from, by the turn.
_PLACES = np.stack(
    [
        turned(np.arange(_SIDE**2, dtype=np.float32).reshape(_SIDE, _SIDE), turn).reshape(-1)
        for turn in range(TURNS)
    ]
).astype(np.int64)


def coarse(records: Records) -> FloatArray:
    """Return pictures (N, 2, 64) at 8 x 8 pixels, with their borders and without, of mean 0 and length 1."""
    return at_a_glance(np.stack([records["print"], records["inside"]], axis=1))


def at_a_glance(squares: UInt8Array) -> FloatArray:
    """Return squares (N, V, 64, 64) as pictures (N, V, 64) at 8 x 8 pixels, of mean 0 and length 1."""
    step = SIDE // _SIDE
    pictures = squares.reshape(*squares.shape[:2], _SIDE, step, _SIDE, step)
    flat = pictures.mean(axis=(3, 5), dtype=np.float32).reshape(*squares.shape[:2], _SIDE**2)
    flat -= flat.mean(axis=2, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=2, keepdims=True), 1e-3), np.float32)


def resemblance(first: FloatArray, second: FloatArray, pairs: tuple[IntArray, IntArray]) -> FloatArray:
    """Return (P,) the correlation of coarse pictures under their best turn.

    Args:
        first: (N, V, 64) from :func:`at_a_glance`.
        second: (M, V, 64) likewise.
        pairs: (P,) places in ``first`` and in ``second``.
    """
    found = np.empty(len(pairs[0]), np.float32)
    for start in range(0, len(found), _AT_ONCE):
        chunk = slice(start, start + _AT_ONCE)
        a, b = first[pairs[0][chunk]], second[pairs[1][chunk]]
        alike = [np.einsum("pks,pks->pk", a, b[:, :, places]).max(axis=1) for places in _PLACES]
        found[chunk] = np.max(alike, axis=0)
    return found
