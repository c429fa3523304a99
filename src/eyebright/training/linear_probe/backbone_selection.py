"""Selection of the backbone, by cross-validation on the same images of the training split."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
    SUBSET,
    ProbeCandidate,
    better,
    candidate,
    losses,
    subset,
)
from eyebright.training.linear_probe.targets import fit, truth_of
from eyebright.training.linear_probe.training_images import require_training_images


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

    A dearer backbone must take more than a standard error of the paired differences off the held-out loss.

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
    samples = _drawn(manifest, seed)
    tried: dict[str, FeatureExtractor] = {}
    rates: list[float] = []
    too_slow: list[str] = []
    for backbone in sorted(backbones, key=lambda b: b.card.parameters):
        name = backbone.card.name
        trainer = FrozenTrainer(manifest, backbone, cache, views=1, layers=layers, seed=seed)
        extractor = trainer.first_extractor(size)
        rate = trainer.trials[0].images_per_second
        needed = len(manifest.samples) / rate
        if tried and seconds is not None and time.monotonic() - began + needed > seconds:
            say(
                "Not tried: {name}. Its features would take {seconds} s, more than --budget leaves.",
                name=name,
                seconds=f"{needed:.0f}",
            )
            too_slow.append(name)
            continue
        samples = _computed(extractor, manifest, samples)
        tried[name], rates = extractor, [*rates, rate]
    truth = truth_of(samples, manifest)
    fits = {name: _fitted(extractor, manifest, samples, seed) for name, extractor in tried.items()}
    best, *others = fits
    for name in others:
        if better(losses(fits[name], truth), losses(fits[best], truth)):
            best = name
    own = losses(fits[best], truth)
    compared = [candidate(name, found, truth, None if name == best else own) for name, found in fits.items()]
    return BackboneChoice(tried[best].backbone, compared, rates, too_slow)


def _drawn(manifest: Manifest, seed: int) -> list[Sample]:
    """Return the images that backbones are compared on."""
    samples = manifest.of("train")
    strata = manifest.task.strata(truth_of(samples, manifest))
    return [samples[place] for place in subset(strata, groups_of(samples), SUBSET, seed)]


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
