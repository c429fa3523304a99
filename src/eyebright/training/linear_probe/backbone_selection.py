"""Selection of the backbone, by cross-validation on the same images of the training split."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.data.manifest import Manifest, Sample
from eyebright.runtime.context import progress, say
from eyebright.text.language import translate
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.folds import groups_of, row_weights
from eyebright.training.linear_probe.head import HeadFit
from eyebright.training.linear_probe.probe import FrozenTrainer
from eyebright.training.linear_probe.selection import (
    CLEAR,
    SUBSET,
    ProbeCandidate,
    better,
    candidate,
    losses,
    subset,
)
from eyebright.training.linear_probe.targets import fit, truth_of
from eyebright.training.linear_probe.training_images import require_training_images
from eyebright.types import FloatArray, IntArray

#: Images on which backbones are compared that the first ones leave open.
MOST = 3000


@dataclass(frozen=True)
class BackboneChoice:
    """The selected backbone and what it was compared with.

    Attributes:
        backbone: the selected one.
        compared: a row for each that was tried, the cheapest first.
        rates: images per second of each, in the same order, by its fastest engine at the size compared at.
        too_slow: names of those that the time did not allow.
    """

    backbone: Backbone
    compared: Sequence[ProbeCandidate]
    rates: Sequence[float]
    too_slow: Sequence[str]


def choose_backbone(
    manifest: Manifest,
    backbones: Sequence[Backbone],
    cache: Path,
    *,
    size: int | None,
    layers: str,
    seed: int,
    seconds: float | None,
) -> BackboneChoice:
    """Compare backbones on the same images, each with its widest features and its fastest engine.

    A more expensive backbone must take more than a standard error of the paired differences off the held-out
    loss. What the first images leave open is asked of more.

    Args:
        manifest: only its training split is looked at.
        backbones: one or more.
        cache: the feature cache's folder.
        size: S in pixels that all are compared at; None for the first that a training tries.
        layers: the feature layer set's name, or "auto".
        seed: of the images and the folds.
        seconds: that may pass until the features of all images are there; None for any number. The cheapest
            backbone is tried whatever it takes.

    Raises:
        DataError: too few images can be read.
    """
    began = time.monotonic()
    require_training_images(manifest, manifest.of("train"), ())
    samples = _drawn(manifest, SUBSET, seed)
    tried: list[_Tried] = []
    too_slow: list[str] = []

    def affordable(needed: float) -> bool:
        return seconds is None or time.monotonic() - began + needed <= seconds

    for backbone in sorted(backbones, key=lambda b: b.card.parameters):
        name = backbone.card.name
        trainer = FrozenTrainer(manifest, backbone, cache, views=1, layers=layers, seed=seed)
        extractor = trainer.first_extractor(size)
        rate = trainer.trials[0].images_per_second
        needed = len(manifest.samples) / rate
        if tried and not affordable(needed):
            say(
                "Not tried: {name}. Its features would take {seconds} s, more than --budget leaves.",
                name=name,
                seconds=f"{needed:.0f}",
            )
            too_slow.append(name)
            continue
        samples = _computed(extractor, manifest, samples)
        tried.append(_Tried(name, extractor, rate))
    first = _Comparison.of(tried, manifest, samples, seed)
    comparisons = dict.fromkeys(first.fits, first)
    best, still = first.best, first.open
    more = min(MOST, len(manifest.of("train"))) - len(samples)
    left = [one for one in tried if one.name in still]
    needed = sum(more / one.rate for one in left) + max(len(manifest.samples) / one.rate for one in left)
    if len(left) > 1 and more > 0 and affordable(needed):
        samples = _drawn(manifest, MOST, seed)
        for one in left:
            samples = _computed(one.extractor, manifest, samples)
        second = _Comparison.of(left, manifest, samples, seed)
        comparisons |= dict.fromkeys(second.fits, second)
        best = second.best
    return BackboneChoice(
        next(one.extractor.backbone for one in tried if one.name == best),
        [comparisons[one.name].row(one.name, best) for one in tried],
        [one.rate for one in tried],
        too_slow,
    )


@dataclass(frozen=True)
class _Tried:
    """A backbone with its fastest engine, and how many images that does in a second."""

    name: str
    extractor: FeatureExtractor
    rate: float


@dataclass(frozen=True)
class _Comparison:
    """Heads on the same images, by the names of their backbones, the cheapest first."""

    truth: IntArray
    fits: Mapping[str, HeadFit]

    @classmethod
    def of(
        cls, tried: Sequence[_Tried], manifest: Manifest, samples: Sequence[Sample], seed: int
    ) -> _Comparison:
        """Compare on images whose features are cached."""
        fits = {one.name: _fitted(one.extractor, manifest, samples, seed) for one in tried}
        return cls(truth_of(samples, manifest), fits)

    @property
    def best(self) -> str:
        """Return the cheapest that none of those after it is better than."""
        best, *others = self.fits
        for name in others:
            if better(self._losses(name), self._losses(best)):
                best = name
        return best

    @property
    def open(self) -> list[str]:
        """Return those that are not clearly worse than another."""
        return [
            name
            for name in self.fits
            if not any(better(self._losses(other), self._losses(name), CLEAR) for other in self.fits)
        ]

    def row(self, name: str, selected: str) -> ProbeCandidate:
        """Return a backbone's row beside the selected one."""
        own = None if name == selected else self._losses(selected)
        return candidate(name, self.fits[name], self.truth, own)

    def _losses(self, name: str) -> FloatArray:
        return losses(self.fits[name], self.truth)


def _drawn(manifest: Manifest, count: int, seed: int) -> list[Sample]:
    """Return about ``count`` training images that backbones are compared on."""
    samples = manifest.of("train")
    strata = manifest.task.strata(truth_of(samples, manifest))
    return [samples[place] for place in subset(strata, groups_of(samples), count, seed)]


def _computed(extractor: FeatureExtractor, manifest: Manifest, samples: Sequence[Sample]) -> list[Sample]:
    """Fill the cache; return the images that can be read, the same ones for every backbone."""
    text = translate("Trying the backbone {name}", name=extractor.backbone.card.name)
    with progress().task(text, total=len(samples)) as task:
        gone = {skipped.path for skipped in extractor.compute(manifest.root, samples, task)}
    extractor.release()
    return [sample for sample in samples if sample.path not in gone]


def _fitted(extractor: FeatureExtractor, manifest: Manifest, samples: Sequence[Sample], seed: int) -> HeadFit:
    return fit(
        extractor.read(samples, extractor.taps),
        truth_of(samples, manifest),
        len(manifest.labels),
        groups=groups_of(samples),
        scored=np.ones(len(samples), bool),
        weights=row_weights(samples),
        seed=seed,
    )
