"""Units: what must stay in one split, joined from copies, groups and near duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eyebright.data.manifest import Sample
from eyebright.runtime.compact.repeats import Repeats
from eyebright.runtime.compact.rows import changed, values


def joined(samples: Sequence[Sample], near: Sequence[Sequence[int]]) -> Sequence[Sample]:
    """Return samples whose units hold together all that belongs together, however it is connected.

    Args:
        samples: N images.
        near: groups of their places that are near duplicates of each other.
    """
    parent: dict[str, str] = {}  # of what is joined to anything; of millions of images mostly nothing is

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    def join(one: str, other: str) -> None:
        parent[root(one)] = root(other)

    if any(values(samples, "group")):
        # A group is only joined to others by an image that comes again, or that is a near duplicate.
        repeats = Repeats(values(samples, "identity"), len(samples))
        alike = {samples[place].identity for group in near for place in group}
        for sample in samples:
            if sample.group and (sample.identity in repeats or sample.identity in alike):
                join(_own_name(sample), f"image {sample.identity}")
    for middle, *others in near:
        for other in others:
            join(_own_name(samples[middle]), _own_name(samples[other]))
    first: dict[str, str] = {}
    several: set[str] = set()
    identities: dict[str, str] = {}
    for sample in samples if parent else ():
        name = _own_name(sample)
        if name in parent:
            place = root(name)
            identities[place] = min(sample.identity, identities.get(place, sample.identity))
            if first.setdefault(place, name) != name:
                several.add(place)

    def unit(sample: Sample) -> str:
        name = _own_name(sample)
        place = root(name) if name in parent else None
        return identities[place] if place is not None and place in several else ""

    if not parent and not any(values(samples, "unit")):
        return samples
    with_units = (
        sample if (found := unit(sample)) == sample.unit else replace(sample, unit=found)
        for sample in samples
    )
    return changed(samples, with_units)


def _own_name(sample: Sample) -> str:
    """Return what holds a sample together with others before anything is joined."""
    return f"group {sample.group}" if sample.group else f"image {sample.identity}"
