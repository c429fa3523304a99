"""The manifest: one table of samples. Every source becomes one; nothing later knows where images came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.types import Skipped, Split

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a manifest.

    Attributes:
        path: relative to the manifest's root, with forward slashes.
        label: the class's name.
        split: the part that it belongs to.
        sha: BLAKE2b-128 of the file's bytes, in hex; equal images have equal hashes.
        width: pixels, after the EXIF rotation.
        height: pixels, after the EXIF rotation.
    """

    path: str
    label: str
    split: Split
    sha: str
    width: int
    height: int


@dataclass(frozen=True)
class Manifest:
    """All samples, their classes, and what was left out and why."""

    root: Path
    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Skipped, ...] = field(default=())

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes in the order of the model's outputs."""
        return tuple(sorted({s.label for s in self.samples}))
