"""What the features of a training would cost on a cluster, from a trial on some of its images."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass

from eyebright.cluster.cluster import Cluster
from eyebright.data.manifest import Manifest
from eyebright.runtime.context import progress_task
from eyebright.text.format import duration
from eyebright.text.language import translate
from eyebright.training.cache.fill import LEAST_IMAGES
from eyebright.training.cache.store import CLUSTER, default_folder
from eyebright.training.linear_probe.features import FeatureExtractor

#: So many images are tried, or the least that a shard has for each worker.
TRIED_IMAGES = 200


@dataclass(frozen=True)
class ClusterCost:
    """What features cost.

    Attributes:
        workers: that share the work.
        seconds: until all features are there.
        worker_hours: of all workers together, whose price is known to whoever pays for the machines.
    """

    workers: int
    seconds: float
    worker_hours: float

    def text(self) -> str:
        """Return the cost in words."""
        return translate(
            "{time} on {count:worker|workers}: {hours} worker hours",
            time=duration(self.seconds),
            count=self.workers,
            hours=f"{self.worker_hours:.2f}",
        )


def cluster_cost(cluster: Cluster, extractor: FeatureExtractor, manifest: Manifest) -> ClusterCost:
    """Measure the features of some images on the workers, and return the cost of all.

    The features of the trial are computed anew and thrown away, so that what is cached does not count.

    Args:
        cluster: to measure.
        extractor: of the input size, the layers and the engine.
        manifest: of the images, from all over which those of the trial come.
    """
    samples = manifest.samples
    count = min(len(samples), max(TRIED_IMAGES, LEAST_IMAGES * cluster.workers))
    tried = samples[:: max(1, len(samples) // count)][:count]
    folder = default_folder() / CLUSTER / f"trial-{uuid.uuid4().hex}"
    trial = FeatureExtractor(
        folder, extractor.backbone, extractor.preprocessing, extractor.taps, extractor.engine, 1
    )
    try:
        with progress_task("Trying the cluster", total=len(tried)) as task:
            seconds = trial.fill(cluster, manifest.root, tried, task)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    a_worker = seconds / len(tried) * len(samples)
    return ClusterCost(cluster.workers, a_worker / cluster.workers, a_worker / 3600)
