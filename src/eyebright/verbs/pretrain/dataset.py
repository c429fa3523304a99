"""The views that a backbone learns from: which augmentation, and cached activations or pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.backbones.card import Preprocessing
from eyebright.data.manifest import Sample
from eyebright.engines.choose import cached_trials
from eyebright.engines.selection import say_engine, trial_images
from eyebright.runtime.context import progress_task, say
from eyebright.text.format import percent
from eyebright.training.cache.store import default_folder, exports_folder
from eyebright.training.finetune.data.activation_cache import CachedViews
from eyebright.training.finetune.data.augment import PRESETS, Augmentation
from eyebright.training.finetune.data.frozen_stem import frozen_graph, stem_key, stem_source
from eyebright.training.finetune.data.pixels import Pixels, open_pixels
from eyebright.training.finetune.model.feature_network import FrozenStem
from eyebright.training.linear_probe.features import training_preprocessing
from eyebright.training.pretrain.augment_check import AugmentCheck, check_augmentations
from eyebright.training.pretrain.views_data import CachedViewsData, PixelViewsData, ViewsData
from eyebright.types import Skipped
from eyebright.verbs.pretrain.images import PretrainImages
from eyebright.verbs.pretrain.network import PretrainNetwork
from eyebright.verbs.pretrain.options import PretrainConfig

_CHECKED = 64  # images on which augmentations are tried


@dataclass(frozen=True, kw_only=True)
class PretrainDataset:
    """What is learned from.

    Attributes:
        data: the views.
        samples: the images, in the order of their places.
        stem: the frozen stem whose activations ``data`` holds; None where it holds pixels.
        check: how the augmentation was chosen; None where it was given.
        augmentation: of the views.
        unreadable: images that were left out.
    """

    data: ViewsData
    samples: Sequence[Sample]
    stem: FrozenStem | None
    check: AugmentCheck | None
    augmentation: Augmentation
    unreadable: Sequence[Skipped]


@dataclass(frozen=True)
class _Views:
    """Images as views are made from them: their paths, pixels, augmentation and preprocessing."""

    paths: Sequence[Path]
    pixels: Pixels
    augmentation: Augmentation
    seen: Preprocessing


def build_views(config: PretrainConfig, images: PretrainImages, trained: PretrainNetwork) -> PretrainDataset:
    """Return the views; what the cache lacks is computed.

    Raises:
        DataError, StorageError: the images or the disk do not allow it.
        ModelError: the backbone cannot be cut there, or the stem not be exported.
    """
    manifest = images.manifest
    seen = training_preprocessing(trained.network.card, trained.network.card.preprocessing.size)
    check = None
    if config.augment == "auto":
        check = _check(config, images, trained, seen)
        augmentation = check.augmentation
    else:
        augmentation = PRESETS[config.augment]
    cache, size, how = default_folder(), seen.size, seen.interpolation
    plain, unreadable = open_pixels(manifest.root, manifest.samples, size, how, cache)
    side = augmentation.stored_size(size)
    pixels, _ = open_pixels(manifest.root, plain.samples, side, how, cache)
    stem, paths = None, [manifest.root / sample.path for sample in plain.samples]
    data: ViewsData = PixelViewsData(pixels, plain, augmentation, config.views)
    if (end := trained.stem_end) is not None:
        stem = trained.encoder.frozen_stem(trained.network, end, size)
        data = _activations(config, trained, stem, end, plain, _Views(paths, pixels, augmentation, seen))
    return PretrainDataset(
        data=data,
        samples=plain.samples,
        stem=stem,
        check=check,
        augmentation=augmentation,
        unreadable=unreadable,
    )


def _activations(
    config: PretrainConfig, trained: PretrainNetwork, stem: FrozenStem, end: str, plain: Pixels, views: _Views
) -> CachedViewsData:
    """Return activations of the frozen stem, computed by the fastest engine that agrees."""
    graph = frozen_graph(stem, stem_key(stem, trained.network, end), exports_folder())
    trials = cached_trials(default_folder(), graph, trial_images(views.paths, views.seen))
    say_engine(trials)
    source = stem_source(stem, trained.network, end, trials[0].name)
    size = views.seen.size
    cached = CachedViews(
        source, views.pixels, size, views.augmentation, default_folder(), config.views, config.seed
    )
    data = CachedViewsData(cached, plain)
    say(
        "Each image is augmented {views} times; the frozen stem's activations take {size} GB in the cache.",
        views=config.views,
        size=f"{data.size_bytes / 1e9:.2f}",
    )
    data.compute()
    return data


def _check(
    config: PretrainConfig, images: PretrainImages, trained: PretrainNetwork, seen: Preprocessing
) -> AugmentCheck:
    """Choose the augmentation on some images, and say why."""
    manifest = images.manifest
    order = np.random.default_rng(config.seed).permutation(len(manifest.samples))[:_CHECKED]
    readable, _ = open_pixels(
        manifest.root, [manifest.samples[i] for i in order], seen.size, seen.interpolation, default_folder()
    )
    some = list(readable.samples)

    def opened(side: int) -> Pixels:
        return open_pixels(manifest.root, some, side, seen.interpolation, default_folder())[0]

    with progress_task("Checking augmentations"):
        check = check_augmentations(trained.encoder, opened, seen.size, config.seed, images.truth(some))
    if check.augmentation.mirror != PRESETS[check.name].mirror:
        say(
            "Views are not mirrored: {share} of the images can be told from their mirror images.",
            share=percent(check.handedness),
        )
    tried = ", ".join(f"{trial.name} {percent(trial.accuracy)}" for trial in check.trials)
    say("Augmentation: {name}. Images recognised under each: {tried}.", name=check.name, tried=tried)
    return check
