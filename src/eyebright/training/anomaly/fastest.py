"""The engine that computes patch features on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eyebright.backbones.backbone import Backbone
from eyebright.data.manifest import Sample
from eyebright.engines.choose import Trial, cached_trials, make
from eyebright.engines.selection import trial_images
from eyebright.training.anomaly.patches import PatchExtractor, PatchMaps, patches_graph


def fastest_extractor(
    maps: PatchMaps, backbone: Backbone, root: Path, samples: Sequence[Sample], cache: Path
) -> tuple[PatchExtractor, list[Trial]]:
    """Return an extractor on the fastest float32 engine of this machine, and the engines' trials.

    Args:
        maps: to compute.
        backbone: whose maps they are.
        root: of the samples.
        samples: some of which the engines are tried on.
        cache: the feature cache's folder.
    """
    graph = patches_graph(backbone, maps).SerializeToString()
    paths = [root / sample.path for sample in samples]
    trials = cached_trials(cache, graph, trial_images(paths, maps.preprocessing))
    exact = [trial for trial in trials if trial.name.endswith("float32")]
    return PatchExtractor(cache, backbone.card, maps, make(exact[0].name, graph)), exact
