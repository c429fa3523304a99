"""Selection of the input size and the layers, by cross-validation inside the training split only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.task.task import task_of
from eyebright.training.linear_probe.head import HeadFit
from eyebright.types import FloatArray, IntArray

#: Input sizes in pixels, compared in turn; a step up must earn its cost.
SIZE_LADDER = (96, 160, 224, 288, 448)
_PHOTO_SIZE = 224
_ENLARGE = 4
SUBSET = 400
# A step up doubles the time of training and of every prediction: it must gain more than one standard error,
# and the next one is tried only after a step that took a fifth off the loss.
_STANDARD_ERRORS = 1.0
_PROMISING = 0.8


@dataclass(frozen=True)
class ProbeCandidate:
    """A candidate, evaluated by cross-validation inside the training split.

    Attributes:
        name: of the input size or feature layer set.
        correct, count: images predicted correctly, and their number.
        log_loss: their mean, in nats.
        selected: whether it was selected.
    """

    name: str
    correct: int
    count: int
    log_loss: float
    selected: bool


def ladder(short_sides: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes worth trying for images with these short sides in pixels, the first to try first.

    Photographs start at the size that the backbone was trained at, tiny images at the smallest; nothing is
    enlarged more than four times.
    """
    side = float(np.median(short_sides))
    start = _PHOTO_SIZE if side >= _PHOTO_SIZE / 2 else SIZE_LADDER[0]
    sizes = tuple(size for size in SIZE_LADDER if size >= start and size <= _ENLARGE * side)
    return sizes or (SIZE_LADDER[0],)


def subset(truth: IntArray, groups: IntArray, count: int, seed: int) -> IntArray:
    """Return about ``count`` of N samples, drawn a class at a time in proportion, whole groups together."""
    if len(truth) <= count:
        return np.arange(len(truth))
    order = np.random.default_rng(seed).permutation(groups.max() + 1)[groups]
    rank = np.empty(len(truth), np.int64)
    for label in np.unique(truth):
        rows = np.flatnonzero(truth == label)
        rank[rows[np.argsort(order[rows], kind="stable")]] = np.arange(len(rows))
    share = count / len(truth)
    sizes = np.bincount(truth)
    keep: IntArray = np.flatnonzero(rank < np.maximum(4, np.ceil(share * sizes))[truth])
    return keep


def losses(fit: HeadFit, truth: IntArray) -> FloatArray:
    """Return the held-out log loss (N,) of each image, in nats."""
    return task_of(truth).losses(fit.held_out, truth)


def better(candidate: FloatArray, best: FloatArray) -> bool:
    """Return whether the candidate's losses (N,) are lower by more than a standard error."""
    gain = best - candidate
    error = gain.std() / np.sqrt(len(gain))
    return bool(gain.mean() > _STANDARD_ERRORS * error and gain.mean() > 0)


def climb(
    names: Sequence[str], fit: Callable[[str], HeadFit], truth: IntArray
) -> tuple[str, list[ProbeCandidate]]:
    """Try ``names`` from the cheapest up, until a step gains little or nothing.

    Args:
        names: the candidates.
        fit: trains one of them, with held-out logits (N, K) of the same images for all.
        truth: (N,) of these images, or (N, K).

    Returns:
        The best candidate, and a row for each.
    """
    fits = {names[0]: fit(names[0])}
    best = names[0]
    for name in names[1:]:
        fits[name] = fit(name)
        before, after = losses(fits[best], truth), losses(fits[name], truth)
        if better(after, before):
            best = name
        if after.mean() > _PROMISING * before.mean():
            break
    return best, candidates(fits, best, truth)


def candidates(fits: Mapping[str, HeadFit], selected: str, truth: IntArray) -> list[ProbeCandidate]:
    """Return a row for each fit that was compared on images of classes ``truth`` (N,), or labels (N, K)."""
    rows = []
    for name, fit in fits.items():
        count = int(task_of(truth).correct(fit.held_out, truth).sum())
        loss = float(losses(fit, truth).mean())
        rows.append(ProbeCandidate(name, count, len(truth), loss, name == selected))
    return rows
