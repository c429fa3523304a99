"""`prune`: channels leave a model's network, which is then taught by the model that it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from eyebright.backbones import catalog
from eyebright.data.decode import load_sample
from eyebright.data.manifest import Manifest
from eyebright.data.table.chosen import ROLES
from eyebright.errors import ImageError
from eyebright.exporting.base import ExportSource, require
from eyebright.runs import messages
from eyebright.runs.images import check_classes, columns_for, manifest_of, require_classifier
from eyebright.runs.integrity import require_other_directory, require_unmodified
from eyebright.runs.overwrite import remove_earlier
from eyebright.runs.run import Run, new_directory
from eyebright.runs.text_models import require_images_only
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.context import progress_task, say, stage
from eyebright.sealed.model import SealedModel
from eyebright.types import FloatArray, IntArray
from eyebright.verbs.prune.options import PruneConfig
from eyebright.verbs.train.finetune.finetune import PRUNED
from eyebright.verbs.train.options import TrainConfig, require_single_label
from eyebright.verbs.train.train import train

_FILE = "pruned.onnx"
_IMAGES, _BATCH = 256, 16  # that tell the channels' importance
_AS_THEY_ARE = (
    *("epochs", "budget", "batch", "lr", "augment", "precision", "device", "seed", "lang", "data"),
    *ROLES,
    "overwrite",
)


@stage
def prune(config: PruneConfig) -> Run:
    """Prune a sealed model, retrain it with the original as teacher, and seal it.

    Args:
        config: which model, how much of it may stay.

    Returns:
        The run; `parent` in its `metrics.json` and its report compare the two models.

    Raises:
        NotFoundError, ModelError: the model is not there, is not a sealed one, or cannot be pruned.
        DataError: its images are gone.
        MissingExtraError: PyTorch or torch-pruning is not installed.
    """
    catalog.require_torch()
    require("torch_pruning", "prune", "prune")
    model = SealedModel(config.model)
    require_images_only(model, "`eyebright prune`")
    require_classifier(model, "eyebright prune")
    require_single_label(model.task, "prune")
    require_unmodified(model.path)
    require_other_directory(config.out, model.path)
    manifest = manifest_of(model, config.data, config.seed, columns=columns_for(config, model))
    check_classes(model, manifest.labels)
    name = model.path.resolve().parent.name
    directory = new_directory(config.out, "runs", name, overwrite=config.overwrite)
    path = (directory / _FILE).absolute()
    _write_pruned(config, model, manifest, path)
    options: dict[str, Any] = {name: getattr(config, name) for name in _AS_THEY_ARE}
    options |= {
        "backbone": f"{PRUNED}{path}",
        "teacher": config.model,
        "teacher_views": config.views,
        "out": directory,
        "finetune": "full",
        "size": model.size,
        "layers": "stages",
    }
    run = train(TrainConfig.build(**options))
    messages.say_decisions_dropped(model, run.model)
    return run


def _write_pruned(config: PruneConfig, model: SealedModel, manifest: Manifest, path: Path) -> None:
    from eyebright.compression.pruned import write_card
    from eyebright.compression.pruning import prune as prune_graph

    source = ExportSource(model, onnx.load(model.path))
    layers = list(dict.fromkeys(model.card.feature_layers))
    with progress_task("Pruning channels") as task:
        done = prune_graph(
            source.graph,
            model.size,
            layers,
            config.keep,
            config.importance,
            _batches(config, source, manifest),
            lambda share: task.advance(),
        )
    write_card(
        done.graph,
        {
            "name": f"{model.card.backbone} pruned",
            "licence": model.metadata.get("licence", "unknown"),
            "source": model.card.source,
            "preprocessing": model.card.content["preprocessing"],
            "width": done.width,
        },
    )
    remove_earlier(path.parent)
    write_bytes(path, done.graph.SerializeToString())
    say(
        "Pruned: {operations} % of the multiply-adds and {parameters} % of the weights remain.",
        operations=f"{100 * done.operations / done.operations_before:.0f}",
        parameters=f"{100 * done.parameters / done.parameters_before:.0f}",
    )


def _batches(
    config: PruneConfig, source: ExportSource, manifest: Manifest
) -> Iterator[tuple[FloatArray, IntArray]]:
    """Return normalised training images with their classes."""
    samples = manifest.of("train")
    order = np.random.default_rng(config.seed).permutation(len(samples))[:_IMAGES]
    chosen = [samples[i] for i in order]
    how = source.preprocessing.interpolation
    for begin in range(0, len(chosen), _BATCH):
        some, squares = [], []
        for sample in chosen[begin : begin + _BATCH]:
            try:
                squares.append(load_sample(manifest.root, sample, source.size, how))
            except ImageError:  # training names it
                continue
            some.append(sample)
        if some:
            pixels = np.concatenate([source.normalised(square) for square in squares])
            yield pixels, manifest.task.encode(some, manifest.labels)
