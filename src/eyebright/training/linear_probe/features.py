"""Images to cached features: decode, resize and inference of one image run in one thread, many at once.

Every thread carries an image all the way, so decoding hides behind the inference of other images, nothing
waits in queues, and memory holds a few images whatever their number.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import BackboneCard, Preprocessing
from eyebright.backbones.feature_layers import FeatureLayer, columns, width
from eyebright.backbones.graph import features_graph
from eyebright.cluster.choose import cluster_in_use
from eyebright.cluster.cluster import Cluster
from eyebright.data.decode import open_rgb
from eyebright.data.header import read_image
from eyebright.data.manifest import Sample
from eyebright.data.views import view
from eyebright.engines.base import Engine
from eyebright.engines.choose import make, make_alike
from eyebright.errors import DataError, EyebrightError, ImageError, NotFoundError
from eyebright.runtime.compact.rows import kept, values
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.training.cache.fill import LEAST_IMAGES, compute_rows, distinct, fill, read_shared, shared_file
from eyebright.training.cache.store import FeatureSpace, Rows
from eyebright.types import JsonObject, ShardJson, Skipped

_FLUSH_ROWS = 2048
_FLUSH_SECONDS = 3.0
_BULK = 65_536  # keys that are looked up at once


def training_preprocessing(card: BackboneCard, size: int) -> Preprocessing:
    """Return how images are shown to the backbone: the whole image, squashed to S × S.

    Nothing is cropped away.
    """
    return replace(card.preprocessing, size=size, crop=None)


def graph_bytes(backbone: Backbone, preprocessing: Preprocessing, taps: Sequence[FeatureLayer]) -> bytes:
    """Return the backbone's feature graph, for the engines."""
    network = backbone.model(preprocessing.size)
    data: bytes = features_graph(network, preprocessing, taps).SerializeToString()
    return data


def feature_spaces(cache: Path, definition: JsonObject, width: int, views: int) -> list[FeatureSpace]:
    """Return the space of each view of what `definition` says of an extractor; D is ``width``."""
    return [FeatureSpace(cache, definition | {"view": view}, width) for view in range(views)]


class FeatureExtractor:
    """Computes what the cache lacks and reads the rest, for one input size and one engine.

    Args:
        cache: the feature cache's folder.
        backbone: whose features are computed.
        preprocessing: of the training images.
        taps: the features to compute.
        engine: the name of the engine; it is started when a feature is missing.
        views: how many views of each image; the first is the image itself.
        running: the engine, if it was started on this graph.
    """

    def __init__(
        self,
        cache: Path,
        backbone: Backbone,
        preprocessing: Preprocessing,
        taps: Sequence[FeatureLayer],
        engine: str,
        views: int,
        running: Engine | None = None,
    ) -> None:
        self._cache = cache
        self.backbone = backbone
        self.preprocessing = preprocessing
        self.taps = taps
        self.engine = engine
        self.running = running
        card = backbone.card
        self.definition: JsonObject = {
            "backbone": card.name,
            "backbone_sha": card.sha,
            "graph": 2,
            "precision": engine.split()[-1],
            "taps": [f"{tap.layer.name}:{tap.kind}" for tap in taps],
            **asdict(preprocessing),
        }
        self.spaces = feature_spaces(cache, self.definition, width(taps), views)

    def compute(self, root: Path, samples: Sequence[Sample], task: Task) -> list[Skipped]:
        """Make sure that the cache holds all views of ``samples``; advance ``task`` by one an image.

        Returns:
            The images that could not be read, with the reasons.
        """
        missing: Sequence[Sample] = distinct(self.missing(samples))
        task.advance(len(samples) - len(missing))
        cluster = cluster_in_use()
        if cluster is not None and len(missing) >= LEAST_IMAGES:
            self.fill(cluster, root, missing, task)
            missing = self.missing(missing)
        if not missing:
            return []
        engine = self.running = self.running or make(
            self.engine, graph_bytes(self.backbone, self.preprocessing, self.taps)
        )
        unreadable: dict[str, EyebrightError] = {}
        saved_at, pending = time.monotonic(), 0
        wanted = sorted(missing, key=lambda s: s.place)
        try:
            work = parallel(lambda s: (s, self._features(engine, root, s)), wanted, engine.callers)
            for sample, rows in work:
                task.advance()
                if isinstance(rows, EyebrightError):
                    unreadable[sample.sha] = rows
                    continue
                for number, row in rows:
                    self.spaces[number].add(sample.key, row)
                pending += len(rows)
                if pending >= _FLUSH_ROWS or time.monotonic() - saved_at > _FLUSH_SECONDS:
                    self._flush()
                    saved_at, pending = time.monotonic(), 0
        finally:  # at Ctrl-C, too: what was computed is kept
            self._flush()
        found = (s for s in samples if s.sha in unreadable) if unreadable else ()
        return [Skipped(s.path, unreadable[s.sha].template, unreadable[s.sha].values) for s in found]

    @property
    def exact(self) -> bool:
        """Return whether it computes in float32, as the sealed model does."""
        return self.engine.endswith("float32")

    def in_float32(self) -> FeatureExtractor:
        """Return an extractor of the same features in float32, by an engine of the same package."""
        engine = f"{self.engine.split()[0]} float32"
        return FeatureExtractor(
            self._cache, self.backbone, self.preprocessing, self.taps, engine, len(self.spaces)
        )

    def release(self) -> None:
        """Let go of the engine and its memory; the next image that is missing starts another."""
        self.running = None

    def missing(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """Return those of ``samples`` of which the cache lacks a view."""
        lacks = np.zeros(len(samples), np.bool_)
        keys = values(samples, "key")
        for start in range(0, len(samples), _BULK):
            some = list(islice(keys, _BULK))
            there = np.logical_and.reduce([space.contains(some) for space in self.spaces])
            lacks[start : start + len(some)] = ~there
        return kept(samples, lacks)

    def adopt(self, wider: FeatureExtractor, samples: Sequence[Sample]) -> None:
        """Take the features of ``samples`` from an extractor that has computed these and others.

        Nothing is taken where the two compute with different precision or views.
        """
        if self.engine.split()[-1] != wider.engine.split()[-1] or len(self.spaces) != len(wider.spaces):
            return
        places = columns(self.taps, wider.taps)
        for number, (space, other) in enumerate(zip(self.spaces, wider.spaces, strict=True)):
            keys = list(dict.fromkeys(s.key for s in samples if number in self._missing(s)))
            keys = [key for key, known in zip(keys, other.contains(keys), strict=True) if known]
            space.keep((key, other.read([key], places)[0]) for key in keys)

    def read(self, samples: Sequence[Sample], taps: Sequence[FeatureLayer], number: int = 0) -> Rows:
        """Return the computed features (N, D) of ``taps`` for one view of ``samples``.

        Raises:
            DataError: some were not computed, as their files changed, or are no longer in the cache.
        """
        places = columns(taps, self.taps)
        keys = [s.key for s in samples]
        there = self.spaces[number].contains(keys)
        if not there.all():
            raise DataError(
                "Images and the feature cache must stay as they are during a run. {count:image|images} "
                "changed or lost their features meanwhile, such as {path}. Run again.",
                count=int((~there).sum()),
                path=samples[int(there.argmin())].path,
            )
        return self.spaces[number].read(keys, places)

    def _features(
        self, engine: Engine, root: Path, sample: Sample
    ) -> list[tuple[int, Rows]] | EyebrightError:
        """Return the rows (D,) of the views that the cache lacks, or why there are none."""
        numbers = self._missing(sample)
        rows = view_rows(engine, self.preprocessing, root, sample, numbers)
        return rows if isinstance(rows, EyebrightError) else list(zip(numbers, rows, strict=True))

    def fill(self, cluster: Cluster, root: Path, samples: Sequence[Sample], task: Task) -> float:
        """Have a cluster compute all views of images that lack one; return the seconds of all workers."""
        graph = graph_bytes(self.backbone, self.preprocessing, self.taps)
        job: JsonObject = {
            "graph": str(shared_file(self._cache, graph)),
            "engine": self.engine,
            "preprocessing": asdict(self.preprocessing),
        }
        return fill(cluster, compute_shard, job, root, samples, self.spaces, task)

    def _missing(self, sample: Sample) -> list[int]:
        return [number for number, space in enumerate(self.spaces) if sample.key not in space]

    def _flush(self) -> None:
        for space in self.spaces:
            space.flush()


def view_rows(
    engine: Engine, preprocessing: Preprocessing, root: Path, sample: Sample, numbers: Sequence[int]
) -> list[Rows] | EyebrightError:
    """Return the features (D,) of some views of an image, or why there are none.

    Args:
        engine: of the feature graph.
        preprocessing: of the images.
        root: of the images.
        sample: the image.
        numbers: of the views; 0 is the image itself.
    """
    try:
        image = open_rgb(
            read_image(root / sample.path, sample.sha),
            min_side=preprocessing.size,
            white_level=sample.white_level,
        )
    except (ImageError, NotFoundError) as error:
        return error.with_traceback(None)
    size, interpolation = preprocessing.size, preprocessing.interpolation
    return [
        engine.run(view(image, size, number, sample.sha, interpolation=interpolation)).astype(np.float16)
        for number in numbers
    ]


def compute_shard(content: ShardJson) -> JsonObject:
    """Compute and write the features of a shard, in a worker of a cluster."""
    engine = _shared_engine(content["engine"], content["graph"])
    preprocessing = Preprocessing.from_json(content["preprocessing"])
    numbers = range(len(content["folders"]))

    def compute(root: Path, sample: Sample) -> list[Rows] | EyebrightError:
        return view_rows(engine, preprocessing, root, sample, numbers)

    return compute_rows(content, compute, engine.callers)


@lru_cache(maxsize=1)
def _shared_engine(name: str, graph: str) -> Engine:
    """Return the engine of a worker, which stays for the next shard."""
    return make_alike(name, read_shared(Path(graph)))
