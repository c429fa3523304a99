"""`embed`: the features of images by a sealed model or a backbone, and which images are most alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from eyebright.backbones.card import BackboneCard
from eyebright.backbones.feature_layers import FeatureLayer, feature_layer_sets
from eyebright.cluster.choose import cluster_in_use, on_cluster
from eyebright.data.manifest import Sample
from eyebright.data.read_headers import read_headers
from eyebright.data.writing.in_memory import write_image
from eyebright.engines.choose import cached_trials
from eyebright.engines.selection import say_engine, trial_images
from eyebright.errors import ConfigError, DataError, ImageError, ModelError
from eyebright.options.cluster import not_for_workers
from eyebright.runtime.context import progress_task, stage
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import (
    FeatureExtractor,
    graph_bytes,
    training_preprocessing,
)
from eyebright.types import FloatArray, Skipped
from eyebright.verbs.embed.options import EmbedConfig
from eyebright.verbs.embed.result import Embeddings
from eyebright.verbs.predict.image_paths import image_paths
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.own_code import NOTHING_OWN, OwnCode
from eyebright.verbs.train.train import frozen_backbone


@dataclass(frozen=True)
class _Rows:
    """Features (n, D) of the samples that could be read, the others, and what computed them."""

    source: str
    samples: Sequence[Sample]
    features: FloatArray
    skipped: Sequence[Skipped]


@stage
def embed(config: EmbedConfig, *, own: OwnCode = NOTHING_OWN) -> Embeddings:
    """Return the features of images.

    Args:
        config: which images, and which model or backbone.
        own: a backbone of the user's own.

    Raises:
        NotFoundError: a path matches nothing.
        DataError: no image can be read.
        ModelError: the model has no features that can be had.
        ConfigError: an image is in memory, where workers do not see it.
    """
    with on_cluster(config.cluster), _files(config.images) as (names, shown):
        samples, unreadable = _samples(names)
        rows = _of_model(config, samples) if config.model else _of_backbone(config, samples, own)
    found = Embeddings(
        source=rows.source,
        paths=[shown.get(s.path, s.path) for s in rows.samples],
        features=rows.features,
        skipped=[replace(s, path=shown.get(s.path, s.path)) for s in (*unreadable, *rows.skipped)],
    )
    if not found.paths:
        raise _nothing(found.skipped)
    if config.neighbours:
        found = replace(found, neighbours=found.nearest(config.neighbours))
    if config.out is not None:
        found.write(config.out)
        found = replace(found, file=config.out)
    return found


@contextmanager
def _files(images: Sequence[Any]) -> Iterator[tuple[list[str | Skipped], dict[str, str]]]:
    """Yield the images' paths, for the block those of images in memory too, and what these are called."""
    names: list[str | Skipped] = []
    shown: dict[str, str] = {}
    with TemporaryDirectory(prefix="eyebright-") as folder:
        for name in image_paths(images):
            if isinstance(name, str | Skipped):
                names.append(name)
                continue
            if cluster_in_use() is not None:
                raise not_for_workers(name)
            number = str(len(names))
            try:
                path = Path(folder) / f"{number}.png"
                write_image(name, path)
            except ImageError as error:
                names.append(Skipped(number, error.template, error.values))
                continue
            names.append(str(path))
            shown[str(path)] = number
        yield names, shown


def _samples(names: Sequence[str | Skipped]) -> tuple[list[Sample], list[Skipped]]:
    samples: list[Sample] = []
    skipped = [name for name in names if isinstance(name, Skipped)]
    files = [("", name) for name in names if isinstance(name, str)]
    with progress_task("Reading images", total=len(files)) as task:
        for some, headers in read_headers(Path(), files):
            for (_, path), header in zip(some, headers, strict=True):
                if isinstance(header, ImageError):
                    skipped.append(Skipped(path, header.template, header.values))
                else:
                    sample = Sample(path, "", "test", header.sha, header.width, header.height)
                    samples.append(replace(sample, white_level=header.white_level))
            task.advance(len(some))
    return samples, skipped


def _of_model(config: EmbedConfig, samples: Sequence[Sample]) -> _Rows:
    model = SealedModel(config.model or Path(), threads=1)
    given = config.model_fields_set & {"backbone", "weights", "size", "layers", "licence"}
    if given:
        raise ConfigError(
            "--model has a backbone, a size and layers of its own. Got {names} as well. Remove one of them.",
            names=", ".join(f"--{name}" for name in sorted(given)),
        )
    if (split := model.split_model) is None:
        raise ModelError(
            "The model must be one whose features can be had. {path} was rewritten so that they cannot. Use "
            "the run that it was made from.",
            path=model.path,
        )
    kept: list[Sample] = []
    features: list[FloatArray] = []
    skipped: list[Skipped] = []
    with progress_task("Running the sealed model", total=len(samples)) as task:
        for block in predict_blocks(model, Path(), samples, default_folder()):
            kept += block.samples
            skipped += block.skipped
            if block.features is not None:
                features.append(block.features)
            task.advance(len(block.samples) + len(block.skipped))
    table = np.concatenate(features) if features else np.empty((0, split.width), np.float32)
    return _Rows(f"{model.card.backbone} {split.digest[:8]}", kept, table, skipped)


def _of_backbone(config: EmbedConfig, samples: Sequence[Sample], own: OwnCode) -> _Rows:
    options = TrainConfig(
        data=Path(),
        backbone=config.backbone,
        weights=config.weights,
        licence=config.licence,
        size=config.size,
    )
    backbone = frozen_backbone(options, own)
    card = backbone.card
    size = card.preprocessing.size if config.size == "auto" else config.size
    seen, taps = training_preprocessing(card, size), _layers(card, config.layers)
    if not samples:
        return _Rows(card.name, [], np.empty((0, 0), np.float32), [])
    cache = default_folder()
    trials = cached_trials(
        cache, graph_bytes(backbone, seen, taps), trial_images([Path(s.path) for s in samples], seen)
    )
    say_engine(trials)
    extractor = FeatureExtractor(cache, backbone, seen, taps, trials[0].name, 1)
    with progress_task("Computing features at {size} px", total=len(samples), size=size) as task:
        skipped = extractor.compute(Path(), samples, task)
    lost = {one.path for one in skipped}
    kept = [sample for sample in samples if sample.path not in lost]
    rows = np.asarray(extractor.read(kept, taps), np.float32)
    return _Rows(f"{card.name} {card.sha[:8]} {size} {config.layers}", kept, rows, skipped)


def _layers(card: BackboneCard, name: str) -> tuple[FeatureLayer, ...]:
    if name == "final":
        return tuple(FeatureLayer(layer, "mean") for layer in card.layers if layer.kind == "final")
    return feature_layer_sets(card)[name]


def _nothing(skipped: Sequence[Skipped]) -> DataError:
    first = skipped[0] if skipped else Skipped("-", "")
    return DataError(
        "At least one image must be readable. None of {count} is; the first is {path}. Check the files.",
        count=len(skipped),
        path=first.path,
    )
