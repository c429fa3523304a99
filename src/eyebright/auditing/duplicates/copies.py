"""Copies: features and fingerprints propose pairs, pixels confirm them, and planted copies say how well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from eyebright.auditing.duplicates.likelihood import fit_likelihood
from eyebright.auditing.duplicates.proposing import Proposer, proposer_of
from eyebright.auditing.duplicates.registration import (
    Registration,
    joined_registrations,
    register_pairs,
)
from eyebright.auditing.findings import PlantedResult
from eyebright.auditing.material import Material, PlantedCopies
from eyebright.evaluation.intervals import Float64Array, share_of
from eyebright.types import BoolArray, FloatArray, IntArray

_NEARLY = 0.03
_DOUBTFUL = 0.5
_FIRST_PORTION, _PORTION = 40_000, 10_000  # pairs
_MATCHING, _FEWEST_MATCHING = 0.88, 0.005  # a score above those of most pairs that only look alike; a share


@dataclass(frozen=True)
class CopyPairs:
    """Confirmed pairs of images whose pixels differ.

    Attributes:
        first: (P,) places of the one.
        second: (P,) places of the other.
        score: (P,) how well they match.
        turn: (P,) the turn of the second.
        probability: (P,) that they are copies.
        least_score: from which on a match counts.
        found: of what was planted.
    """

    first: IntArray
    second: IntArray
    score: FloatArray
    turn: IntArray
    probability: Float64Array
    least_score: float
    found: PlantedResult


def find_copies(material: Material) -> CopyPairs:
    """Return the pairs of images that show the same picture, and how many planted copies are found.

    A match counts where it is more likely a copy than not, or where nearly all that count are; what is
    planted says how many copies that finds, and how many matches with other images it takes for right.
    """
    proposer, number = proposer_of(material)
    first, second, own, least_look = _own_pairs(proposer)
    proposer = replace(proposer, least_resemblance=least_look)  # planted copies fare as others do
    planted = {
        kind: _matches(proposer, number[copies.sources], copies) for kind, copies in material.planted.items()
    }
    best = np.concatenate([found.best() for found in planted.values()])
    likelihood = fit_likelihood(own.score, best)
    least = likelihood.least_score(own.score)
    kept = own.score >= least
    return CopyPairs(
        proposer.places[first[kept]],
        proposer.places[second[kept]],
        own.score[kept],
        own.turn[kept],
        likelihood.probability(own.score[kept]),
        least,
        _found(planted, least),
    )


def _own_pairs(proposer: Proposer) -> tuple[IntArray, IntArray, Registration, float]:
    """Return the images' own pairs (P,), how they match, and how alike the last of them are at a first look.

    Those most alike are registered first. Of very many, the rest is left once hardly any of the last ones
    matched: that bounds the time, and what it costs in recall the planted copies tell.
    """
    first, second, look = proposer.pairs()
    parts: list[Registration] = []
    done, going = 0, True
    while done < len(first) and going:
        chunk = slice(done, done + (_PORTION if done else _FIRST_PORTION))
        parts.append(proposer.registered(first[chunk], second[chunk]))
        done = min(chunk.stop, len(first))
        going = (parts[-1].score >= _MATCHING).mean() >= _FEWEST_MATCHING
    least = float(look[done]) if done < len(first) else proposer.least_resemblance
    return first[:done], second[:done], joined_registrations(parts), least


@dataclass(frozen=True)
class _Matches:
    """Proposed pairs of M planted copies with images.

    Attributes:
        planted: M.
        copy: (P,) number of the copy.
        score: (P,) how well it matches the image.
        itself: (P,) whether that is the image which the copy was made of.
        likeness: (P,) how well the two images match each other.
    """

    planted: int
    copy: IntArray
    score: FloatArray
    itself: BoolArray
    likeness: FloatArray

    def right(self, least: float) -> BoolArray:
        """Return (P,) whether the image is the copy's, or one that is called its copy, or nearly so."""
        return np.asarray(self.itself | (self.likeness >= least - _NEARLY))

    def best(self) -> FloatArray:
        """Return (M,) the score of each copy with its image, 0 where they were not proposed."""
        found = np.zeros(self.planted, np.float32)
        np.maximum.at(found, self.copy[self.itself], self.score[self.itself])
        return found


def _matches(proposer: Proposer, own: IntArray, copies: PlantedCopies) -> _Matches:
    copy, image = proposer.planted_pairs(copies, own)
    score = register_pairs(proposer.pictures.records, copies.records.__getitem__, (image, copy)).score
    itself = image == own[copy]
    likeness = np.zeros(len(copy), np.float32)
    doubtful = np.flatnonzero(~itself & (score >= _DOUBTFUL))
    likeness[doubtful] = proposer.registered(own[copy[doubtful]], image[doubtful]).score
    return _Matches(len(own), copy, score, np.asarray(itself), likeness)


def _called(planted: Mapping[str, _Matches], least: float) -> tuple[int, int]:
    """Return how many matches of planted copies are right from a score on, and how many there are."""
    right = called = 0
    for found in planted.values():
        kept = found.score >= least
        right += int(found.right(least)[kept].sum())
        called += int(kept.sum())
    return right, called


def _found(planted: Mapping[str, _Matches], least: float) -> PlantedResult:
    hits = {kind: int((found.best() >= least).sum()) for kind, found in planted.items()}
    every = sum(found.planted for found in planted.values())
    right, called = _called(planted, least)
    return PlantedResult(
        recall=share_of(sum(hits.values()), every),
        precision=share_of(right, called),
        planted=every,
        ways={kind: share_of(hits[kind], found.planted) for kind, found in planted.items()},
    )
