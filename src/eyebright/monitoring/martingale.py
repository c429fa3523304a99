"""Whether a stream of counted images still comes from where the reference did, however often one looks.

Conformal test martingales (Vovk, Nouretdinov and Gammerman 2003; Vovk 2021). If reference and stream are
exchangeable, the rank of each image among all before it is uniform and independent of earlier ranks. A bet
against that is a martingale: it reaches 100 with a probability of at most 1 in 100, over all times together
and whatever the values' distribution and the size of the reference. So nothing is corrected for looking
often.

The bets are beta densities of the ranks (shifts, wider and narrower spreads), placed from each window on:
their mixture finds a change that begins late.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaln, logsumexp

from eyebright.evaluation.intervals import Float64Array
from eyebright.types import IntArray

#: More images of one window add nothing to a decision; so many are drawn from it.
_MOST = 1000
_STEP = 10
_SHAPES = (0.5, 0.7, 1.0, 1.4, 2.0)
_BETS = np.array([(a, b) for a in _SHAPES for b in _SHAPES if (a, b) != (1.0, 1.0)])
_BETA = betaln(_BETS[:, 0], _BETS[:, 1])
_TAIL = np.all(np.isclose(_BETS, (0.7, 1.0)), axis=1).astype(np.float64)


def onset_weights(windows: int) -> Float64Array:
    """Return the prior probability (W,) that a change begins with each window; the sum stays below 1."""
    k = np.arange(1, windows + 1, dtype=np.float64)
    return np.asarray(1 / (k * (k + 1)))


def log_stakes(*, tail: bool) -> Float64Array:
    """Return the logarithm (bets,) of what is staked on each bet, 1 in all.

    Args:
        tail: whether half of it is on a few high values among many usual ones.
    """
    stakes = np.full(len(_BETS), 1 / len(_BETS))
    return np.asarray(np.log((stakes + _TAIL) / 2 if tail else stakes))


def log_gains(ranks: Float64Array) -> Float64Array:
    """Return the logarithm (bets,) of what ranks (n,) multiply the stake on each bet by."""
    logs = np.array([np.log(ranks).sum(), np.log1p(-ranks).sum()])
    return np.asarray((_BETS - 1) @ logs - len(ranks) * _BETA)


def log_martingale(
    reference: IntArray, windows: Sequence[IntArray], seed: Sequence[int], *, tail: bool = False
) -> Float64Array:
    """Return the logarithm (W,) of the highest value of the martingale within each window.

    Args:
        reference: (B,) counts of ordered bins.
        windows: W counts (B,), in the order of time.
        seed: of the order within a window, and of the ranks of equal images.
        tail: whether half of the stakes are on a few high values among many usual ones.
    """
    random = np.random.default_rng(seed)
    bag = np.asarray(reference, np.int64).copy()
    weights = onset_weights(len(windows))
    stakes = log_stakes(tail=tail)
    capital = np.full(len(_BETS), -np.inf)
    rest = 1.0
    found = np.empty(len(windows))
    for t, counts in enumerate(windows):
        ranks = _ranks(bag, np.asarray(counts, np.int64), random)
        # (c, bets): after every few images, since in a long window the bag soon holds the change itself.
        ends = np.append(np.arange(0, len(ranks), _STEP), len(ranks))
        logs = np.zeros((len(ranks) + 1, 2))
        logs[1:] = np.cumsum(np.stack([np.log(ranks), np.log1p(-ranks)], axis=1), axis=0)
        gain = logs[ends] @ (_BETS - 1).T - ends[:, None] * _BETA
        values = np.logaddexp(capital, np.log(weights[t]) + stakes) + gain
        capital = values[-1]
        rest -= weights[t]
        found[t] = max(logsumexp(np.append(value, np.log(rest))) for value in values)
        bag += counts
    return found


def _ranks(bag: IntArray, counts: IntArray, random: np.random.Generator) -> Float64Array:
    """Return the ranks (n,) of a window's images, each among all before it: low ones have high values."""
    if counts.sum() > _MOST:
        counts = random.multivariate_hypergeometric(counts, _MOST)
    order = random.permutation(np.repeat(np.arange(len(counts)), counts))
    n = len(order)
    earlier = np.zeros((n, len(counts)), np.int64)
    if n > 1:
        earlier[np.arange(1, n), order[:-1]] = 1
    known = bag + np.cumsum(earlier, axis=0)
    above = np.cumsum(known[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(n)
    ties = known[rows, order]
    p = (above[rows, order] - ties + random.uniform(size=n) * (ties + 1)) / (known.sum(axis=1) + 1)
    return np.asarray(np.clip(p, 1e-12, 1 - 1e-12))
