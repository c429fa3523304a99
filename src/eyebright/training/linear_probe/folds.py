"""Cross-validation folds that keep groups together and every class's share of the weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyebright.data.manifest import Sample
from eyebright.runtime.compact.repeats import Repeats
from eyebright.runtime.compact.rows import values
from eyebright.runtime.compact.table import row_blocks
from eyebright.types import FloatArray, IntArray


def groups_of(samples: Sequence[Sample]) -> IntArray:
    """Return (N,) numbers that images share which are not independent, so that no fold leaks."""
    repeats = Repeats(values(samples, "together"), len(samples))
    numbers: dict[str, int] = {}
    found, after = np.empty(len(samples), np.int64), 0
    for place, name in enumerate(values(samples, "together")):
        number = numbers.setdefault(name, after) if name in repeats else after
        found[place] = number
        after += number == after
    return found


def assign_folds(truth: IntArray, groups: IntArray | None, folds: int, seed: int) -> IntArray:
    """Return stratified folds; the rows of one group never lie in different folds.

    The groups of a class are dealt to the folds in turn, so that a class with two groups or more is never
    missing from a fold's training rows. There are as many folds as the median class has groups, at least 2
    and at most ``folds``: with 2 images a class each half is held out once, while a few rare classes among
    large ones do not cost the others training data.

    Args:
        truth: class numbers (N,). A group with several classes counts as its first row's class.
        groups: group numbers (N,), or None when each row stands alone.
        folds: the largest number of folds.
        seed: of the shuffle.

    Returns:
        The fold numbers (N,) in which the rows are held out.
    """
    first, inverse = _distinct(np.arange(len(truth)) if groups is None else groups)
    group_class = truth[first].astype(np.int32)
    sizes = np.bincount(group_class)
    count = int(np.clip(np.median(sizes[sizes > 0]), 2, max(folds, 2)))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(first)).astype(np.int32)  # of millions of rows, half of the memory
    del first
    group_class = group_class[order]
    order = order[np.argsort(group_class, kind="stable")]
    fold_of_group = np.empty(len(order), np.int32)
    for block in row_blocks(order):  # one deal: folds of equal size
        some = order[block]
        fold_of_group[some] = np.arange(block.start, block.start + len(some)) % count
    del order, group_class
    return fold_of_group.astype(np.int16)[inverse]


def _distinct(numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first place of each number, in the order of the numbers, and each place's number among them.

    Numbers from 0 in the order in which they first come, as :func:`groups_of` gives them, need not be sorted.
    """
    highest = np.maximum.accumulate(numbers)
    steps = np.diff(highest)
    del highest
    if len(numbers) and numbers[0] == 0 and steps.max(initial=0) <= 1:
        return np.flatnonzero(np.append(True, steps > 0)), numbers
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return first, inverse


def row_weights(samples: Sequence[Sample]) -> FloatArray | None:
    """Return the samples' weights in training (N,), with mean 1; None where all are equal."""
    weights = np.fromiter(values(samples, "weight"), np.float64, len(samples))
    if not len(weights) or (weights == weights[0]).all():
        return None
    return np.asarray(weights / weights.mean(), np.float32)


def class_weights(truth: IntArray, power: float, weights: FloatArray | None = None) -> FloatArray:
    """Return row weights (N,) proportional to the class's count to the power of ``-power``, with mean 1.

    Args:
        truth: class numbers (N,).
        power: 0 leaves the classes as they are, 1 lets them weigh alike.
        weights: of the rows (N,), by which they also count for their class: a weight of 2 is a row twice.
    """
    found = np.bincount(truth, weights)[truth].astype(np.float64) ** -power
    found = found if weights is None else found * weights
    return np.asarray(found / found.mean(), np.float32)


def fold_weights(truth: IntArray, weights: FloatArray, held_out_in: IntArray) -> FloatArray:
    """Return training weights (N, F) of each fold, 0 for its held-out rows; every column sums to 1.

    A fold's training rows may hold half of a rare class and all of the others. Each class is weighted up
    to its share of the whole, or small classes would look less likely to the folds than to the final fit.
    """
    classes = int(truth.max()) + 1
    columns = []
    for fold in range(int(held_out_in.max()) + 1):
        column = np.where(held_out_in == fold, 0.0, weights)
        present = np.bincount(truth, column, classes)
        share = np.bincount(truth, weights, classes)
        column = column * (share / np.where(present > 0, present, 1.0))[truth]
        columns.append(column / column.sum())
    return np.stack(columns, axis=1).astype(np.float32)


def learnable(truth: IntArray, held_out_in: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return whether the class of each row (N,) also has rows outside the row's own fold."""
    folds = int(held_out_in.max()) + 1
    table = np.zeros((int(truth.max()) + 1, folds), np.int64)
    np.add.at(table, (truth, held_out_in), 1)
    return np.asarray(table.sum(axis=1)[truth] > table[truth, held_out_in])
