"""Units: what must stay in one split, joined from copies, groups and near duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from eyebright.data.manifest import Sample


def joined(samples: Sequence[Sample], near: Sequence[Sequence[int]]) -> list[Sample]:
    """Return samples whose units hold together all that belongs together, however it is connected.

    Args:
        samples: N images.
        near: groups of their places that are near duplicates of each other.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    def join(one: str, other: str) -> None:
        parent[root(one)] = root(other)

    own = [f"group {s.group}" if s.group else f"image {s.identity}" for s in samples]
    for sample, name in zip(samples, own, strict=True):
        join(name, f"image {sample.identity}")
    for middle, *others in near:
        for other in others:
            join(own[middle], own[other])
    names: dict[str, set[str]] = defaultdict(set)
    identities: dict[str, str] = {}
    for sample, name in zip(samples, own, strict=True):
        place = root(name)
        names[place].add(name)
        identities[place] = min(sample.identity, identities.get(place, sample.identity))
    places = [root(name) for name in own]
    return [
        replace(s, unit=identities[place] if len(names[place]) > 1 else "")
        for s, place in zip(samples, places, strict=True)
    ]
