"""The odds that a match is a copy: what looks alike by chance is no copy for want of images."""

from __future__ import annotations

import numpy as np

from eyebright.auditing.duplicates.copies import CopyPairs
from eyebright.auditing.duplicates.copy_findings import copy_findings
from eyebright.auditing.duplicates.likelihood import CALLED_COPIES, fit_likelihood
from eyebright.auditing.findings import PlantedResult
from eyebright.data.manifest import Sample
from eyebright.types import FloatArray, Interval

# As copies of photographs score: nearly all above 0.95, crops and frames somewhat less.
PLANTED = 1 - 0.06 * np.random.default_rng(0).random(400).astype(np.float32) ** 3


def alike(count: int) -> FloatArray:
    """Return scores of pairs that only look alike: Fisher's z falls off evenly."""
    z = np.arctanh(0.5) + np.random.default_rng(1).exponential(1 / 4.2, count)
    return np.tanh(z).astype(np.float32)


def test_two_lids_among_a_hundred_images_are_no_copies():
    few = np.array([0.3, 0.52, 0.61, 0.66, 0.88], np.float32)
    found = fit_likelihood(few, PLANTED)
    assert found.probability(few)[-1] < 0.3
    assert 0.9 < found.least_score(few) < 0.97


def test_a_true_copy_among_a_hundred_images_is_one():
    few = np.array([0.3, 0.52, 0.61, 0.995], np.float32)
    assert fit_likelihood(few, PLANTED).probability(few)[-1] > 0.95


def test_the_more_pairs_look_alike_the_less_a_match_says():
    said = []
    for count in (3, 30, 300):
        own = np.append(alike(count), np.float32(0.95))
        said.append(float(fit_likelihood(own, PLANTED).probability(own)[-1]))
    assert said[0] > said[1] > said[2]


def test_nearly_no_pair_that_only_looks_alike_is_called_a_copy_and_nearly_every_copy_is():
    own = np.concatenate([alike(300), PLANTED[:40]])
    found = fit_likelihood(own, PLANTED)
    called = found.probability(own) >= CALLED_COPIES
    assert called[:300].mean() < 0.02
    assert called[300:].mean() > 0.9
    rising = found.probability(np.linspace(0.4, 1, 200).astype(np.float32))
    assert (np.diff(rising) >= 0).all()


def test_a_turn_is_told_from_the_middle_image():
    """Laid on its middle, the second picture of a pair turns back where the middle is the second."""
    samples = [Sample(f"{n}.png", "a", "train", f"{n:032x}", 10, 10) for n in range(3)]
    one = np.ones(2, np.float32)
    found = PlantedResult(Interval(1, 1, 1), None, 1)
    pairs = CopyPairs(np.array([0, 1]), np.array([2, 2]), one, np.array([1, 5]), one, 0.9, found)
    (finding,) = copy_findings(samples, pairs, [], [np.array([2, 0, 1])], parts=False)
    assert finding.evidence["turn"] == ["three-quarter turn", "mirrored, quarter turn"]
