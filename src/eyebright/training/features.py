"""Images to cached features: decode, resize and inference of one image run in one thread, many at once.

Every thread carries an image all the way, so decoding hides behind the inference of other images, nothing
waits in queues, and memory holds a few images whatever their number.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from eyebright.backbones import embedded
from eyebright.backbones.card import BackboneCard, Preprocessing
from eyebright.backbones.graph import features_graph
from eyebright.backbones.taps import Tap, columns, width
from eyebright.data.decode import open_rgb
from eyebright.data.manifest import Sample
from eyebright.data.views import view
from eyebright.engines.base import Engine
from eyebright.engines.choose import make
from eyebright.errors import ImageError
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.training.cache import FeatureSpace, Rows
from eyebright.types import Skipped

_FLUSH_ROWS = 2048
_FLUSH_SECONDS = 3.0


def training_preprocessing(card: BackboneCard, size: int) -> Preprocessing:
    """How images are shown to the backbone: the whole image, squashed to S × S; nothing is cropped away."""
    return replace(card.preprocessing, size=size, crop=None)


def graph_bytes(preprocessing: Preprocessing, taps: Sequence[Tap]) -> bytes:
    """The embedded backbone's feature graph, for the engines."""
    data: bytes = features_graph(embedded.model(), preprocessing, taps).SerializeToString()
    return data


class FeatureExtractor:
    """Computes what the cache lacks and reads the rest, for one input size and one engine.

    Args:
        cache: the feature cache's folder.
        preprocessing: of the training images.
        taps: the features to compute.
        engine: the name of the engine; it is started when a feature is missing.
        views: how many views of each image; the first is the image itself.
    """

    def __init__(
        self, cache: Path, preprocessing: Preprocessing, taps: Sequence[Tap], engine: str, views: int
    ) -> None:
        self.preprocessing = preprocessing
        self.taps = taps
        self.engine = engine
        self._running: Engine | None = None
        card = embedded.card()
        definition = {
            "backbone": card.name,
            "backbone_sha": card.sha,
            "graph": 1,
            "precision": engine.split()[-1],
            "taps": [f"{tap.layer.name}:{tap.kind}" for tap in taps],
            **asdict(preprocessing),
        }
        self.spaces = [FeatureSpace(cache, definition | {"view": v}, width(taps)) for v in range(views)]

    def compute(self, root: Path, samples: Sequence[Sample], task: Task) -> list[Skipped]:
        """Makes sure that the cache holds all views of ``samples``; advances ``task`` by one an image.

        Returns:
            The images that could not be read, with the reasons.
        """
        skipped: list[Skipped] = []
        unique = {sample.sha: sample for sample in samples}
        task.advance(len(samples) - len(unique))
        self._start(unique)
        written, saved_at = 0, time.monotonic()
        try:
            for result in parallel(lambda s: self._features(root, s), unique.values()):
                task.advance()
                if isinstance(result, Skipped):
                    skipped.append(result)
                    continue
                sha, rows = result
                for number, row in rows:
                    self.spaces[number].add(bytes.fromhex(sha), row)
                written += len(rows)
                if written >= _FLUSH_ROWS or time.monotonic() - saved_at > _FLUSH_SECONDS:
                    self._flush()
                    written, saved_at = 0, time.monotonic()
        finally:
            self._flush()
        return skipped

    def read(self, samples: Sequence[Sample], taps: Sequence[Tap], number: int = 0) -> Rows:
        """The features (N, D) of ``taps`` for one view of ``samples``, which must have been computed."""
        places = columns(taps, self.taps)
        return self.spaces[number].read([bytes.fromhex(s.sha) for s in samples], places)

    def _features(self, root: Path, sample: Sample) -> Skipped | tuple[str, list[tuple[int, Rows]]]:
        missing = self._missing(sample.sha)
        engine = self._running
        if not missing or engine is None:
            return sample.sha, []
        try:
            image = open_rgb(root / sample.path, min_side=self.preprocessing.size)
        except ImageError as error:
            return Skipped(sample.path, error.template, error.values)
        rows, size = [], self.preprocessing.size
        for number in missing:
            square = view(image, size, number, sample.sha, interpolation=self.preprocessing.interpolation)
            rows.append((number, engine.run(square).astype(np.float16)))
        return sample.sha, rows

    def _missing(self, sha: str) -> list[int]:
        key = bytes.fromhex(sha)
        return [number for number, space in enumerate(self.spaces) if key not in space]

    def _start(self, shas: Iterable[str]) -> None:
        """Starts the engine unless the cache holds everything."""
        if self._running is None and any(self._missing(sha) for sha in shas):
            self._running = make(self.engine, graph_bytes(self.preprocessing, self.taps))

    def _flush(self) -> None:
        for space in self.spaces:
            space.flush()
