"""How far people agree: Cohen's kappa of each pair, and the images on which they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from eyebright.labelling.label_state import LabelState


@dataclass(frozen=True)
class Agreement:
    """Two people on the images that both labelled.

    Attributes:
        first: one of them.
        second: the other.
        images: that both labelled.
        same: of these, with the same label.
        kappa: agreement beyond chance: 1 if they always agree, 0 if as often as by chance; None where chance
            alone would make them agree always.
    """

    first: str
    second: str
    images: int
    same: int
    kappa: float | None


def agreements(state: LabelState) -> list[Agreement]:
    """Return the agreement of each pair of people that labelled images in common."""
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for image in state.images():
        labels = state.by_person(image)
        for first, second in combinations(sorted(labels), 2):
            pairs.setdefault((first, second), []).append((labels[first], labels[second]))
    return [_agreement(first, second, labels) for (first, second), labels in sorted(pairs.items())]


def _agreement(first: str, second: str, labels: Sequence[tuple[str, str]]) -> Agreement:
    same = sum(one == other for one, other in labels)
    return Agreement(first, second, len(labels), same, cohens_kappa(labels))


def cohens_kappa(labels: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of pairs of labels; None where it is not defined."""
    count = len(labels)
    ones, others = Counter(one for one, _ in labels), Counter(other for _, other in labels)
    chance = sum(ones[label] * others[label] for label in ones) / count**2
    if chance == 1:
        return None
    observed = sum(one == other for one, other in labels) / count
    return (observed - chance) / (1 - chance)
