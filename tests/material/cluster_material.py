"""Features of real images by one engine, wherever they are computed, and workers that a test can end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.cluster.local import LocalLauncher, LocalWorker
from eyebright.data.manifest import Sample
from eyebright.runtime.progress import SILENT
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.types import Skipped

ENGINE = "onnxruntime float32"


def extractor(cache: Path, views: int = 1) -> FeatureExtractor:
    backbone = EmbeddedBackbone()
    taps = feature_layer_sets(backbone.card)["texture"]
    return FeatureExtractor(cache, backbone, training_preprocessing(backbone.card, 64), taps, ENGINE, views)


def computed(cache: Path, root: Path, samples: Sequence[Sample], views: int = 1) -> list[Skipped]:
    with SILENT.task("") as task:
        return extractor(cache, views).compute(root, samples, task)


def rows(cache: Path, samples: Sequence[Sample]) -> np.ndarray:
    there = extractor(cache)
    return there.read(samples, there.taps)


class EndableWorkers(LocalLauncher):
    """Two processes, one of which a test can end."""

    def __init__(self) -> None:
        super().__init__(2)
        self.started: list[LocalWorker] = []

    def start(self, number: int, wanted: Callable[[], bool]) -> LocalWorker:
        self.started.append(super().start(number, wanted))
        return self.started[-1]
