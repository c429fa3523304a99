"""`zero-shot`: recognition from the names of the classes, by an image tower and a text tower."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyebright.backbones import catalog
from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.backbones.licences import require_use
from eyebright.backbones.prompts import Prompts, read_prompts
from eyebright.data.decode import decode
from eyebright.data.views import view
from eyebright.errors import ConfigError, ImageError, ModelError, NotFoundError
from eyebright.runs.metrics import versions
from eyebright.runs.run import new_directory
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.context import progress_task, say, stage
from eyebright.runtime.parallel import parallel
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.metadata import MULTILABEL
from eyebright.sealed.model import UnwrittenModel, sealed_with
from eyebright.sealed.parity import Parity, compare
from eyebright.task.task import THRESHOLD
from eyebright.training.cache.store import exports_folder
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray, JsonObject, Prediction, Skipped, UInt8Array
from eyebright.verbs.predict.image_paths import image_paths
from eyebright.verbs.zero_shot.options import ZeroShotConfig

if TYPE_CHECKING:
    from eyebright.backbones.torch.exported import ExportedBackbone
    from eyebright.backbones.towers.towers import Towers

_COMPARED_IMAGES = 16


@dataclass(frozen=True)
class ZeroShot:
    """What the names of the classes make of images.

    Attributes:
        predictions: of each image, in their order, or why there is none. Probabilities are those of the
            towers, which nothing calibrated.
        parity: of the sealed model with PyTorch's towers, on the first images.
        directory: holds `model.onnx`, the sealed model, and `text_tower.onnx`; None where nothing was
            written.
    """

    predictions: tuple[Prediction | Skipped, ...]
    parity: Parity
    directory: Path | None


@stage
def zero_shot(config: ZeroShotConfig) -> ZeroShot:
    """Recognise classes by their names, without a training image.

    Args:
        config: which images and classes, and which towers.

    Raises:
        ConfigError: the backbone has no text tower, or an option does not fit it.
        HubError: the weights cannot be fetched.
        ModelError: the towers cannot be built, or their sealed model answers otherwise than they do.
        NotFoundError, DataError: there is no image.
    """
    labels = config.classes
    prompts = Prompts() if config.prompts is None else read_prompts(config.prompts)
    prompts.check(labels)
    paths = image_paths(config.images)
    catalog.require_torch()
    towers = catalog.load_towers(config.backbone, config.weights)
    card = towers.network.card
    require_use(config.backbone, card.licence, config.licence)
    if config.multilabel and towers.activation == "softmax":
        raise ConfigError(
            "--multilabel requires towers that were trained with a sigmoid, such as SigLIP. {name} was "
            "trained with a softmax, and only compares classes. Remove the option, or choose another "
            "backbone.",
            name=config.backbone,
        )
    directory = None
    if config.out is not None:
        directory = new_directory(config.out, "runs", config.out.name, overwrite=config.overwrite)
    head = LinearHead(*towers.classifier(labels, prompts, exports_folder()))
    model = _sealed(config, towers, labels, prompts, head, (directory or Path()) / "model.onnx")
    predictions = tuple(_predictions(model, config, paths))
    parity = _check(model, towers, head, predictions)
    if directory is not None:
        model.write()
        graph = towers.text.graph(card.name, exports_folder())
        write_bytes(directory / "text_tower.onnx", graph.SerializeToString())
    say(
        "The sealed model matches PyTorch's towers on {images:image|images}: probabilities differ by at most "
        "{largest}. They are not calibrated: with some labelled images, `eyebright evaluate` measures them.",
        images=parity.images,
        largest=f"{parity.largest_difference:.4f}",
    )
    return ZeroShot(predictions, parity, directory)


def _sealed(
    config: ZeroShotConfig,
    towers: Towers,
    labels: Sequence[str],
    prompts: Prompts,
    head: LinearHead,
    path: Path,
) -> UnwrittenModel:
    """Seal the image tower with the embedded names as its head; the whole image is shown to it, squashed."""
    from eyebright.backbones.torch.exported import ExportedBackbone

    card = towers.network.card
    preprocessing = replace(card.preprocessing, crop=None)
    backbone: ExportedBackbone = ExportedBackbone(towers.network, exports_folder())
    last = FeatureLayer(card.layers[-1], "mean")
    graph = sealed_graph(
        backbone.model(preprocessing.size), preprocessing, [last], head, 1.0, config.multilabel
    )
    facts: JsonObject = {
        "card": {
            "backbone": card.name,
            "backbone_sha": card.sha,
            "source": card.source,
            "preprocessing": asdict(preprocessing),
            "taps": [f"{last.layer.name}:{last.kind}"],
            "layers": "final",
            "temperature": 1.0,
            "logit_scale": towers.scale,
            "logit_bias": towers.bias,
            "prompts": {label: prompts.of(label, towers.text.templates) for label in labels},
        },
        "licence": card.licence,
        "versions": versions(),
        "white_level": None,
    }
    if config.multilabel:
        facts |= {"task": MULTILABEL, "thresholds": [THRESHOLD] * len(labels)}
    return UnwrittenModel(path, sealed_with(graph, labels, facts), threads=1)


def _predictions(
    model: UnwrittenModel, config: ZeroShotConfig, paths: Iterator[str | Skipped]
) -> Iterator[Prediction | Skipped]:
    def predicted(image: Any) -> Prediction | Skipped:
        if isinstance(image, Skipped):
            return image
        try:
            return model.predict(image, top=config.top)
        except (ImageError, NotFoundError) as error:
            name = image if isinstance(image, str) else f"<{type(image).__name__}>"
            return Skipped(name, error.template, error.values)

    with progress_task("Predicting") as task:
        for prediction in parallel(predicted, paths):
            task.advance()
            yield prediction


def _check(
    model: UnwrittenModel, towers: Towers, head: LinearHead, predictions: Sequence[Prediction | Skipped]
) -> Parity:
    """Compare the sealed model with PyTorch's towers on the first images that lie on the disk.

    Raises:
        ModelError: a probability differs by 0.02 or more.
    """
    there = (p.path for p in predictions if isinstance(p, Prediction) and p.path is not None)
    pixels = [decode(path, min_side=model.size) for path in islice(there, _COMPARED_IMAGES)]
    if not pixels:
        pixels = [np.full((model.size, model.size, 3), level, np.uint8) for level in (0, 128, 255)]
    found = np.concatenate([model.probabilities(image[None]) for image in pixels])
    expected = np.concatenate([_by_towers(towers, head, model, image) for image in pixels])
    parity = compare(found, expected, model.task)
    if not parity.passed:
        raise ModelError(
            "The sealed model must match PyTorch's towers. On {images:image|images}, probabilities differ by "
            "up to {largest}. Please report this with the output of `eyebright doctor`.",
            images=parity.images,
            largest=f"{parity.largest_difference:.4f}",
        )
    return parity


def _by_towers(towers: Towers, head: LinearHead, model: UnwrittenModel, image: UInt8Array) -> FloatArray:
    """Return the probabilities (1, K) of PyTorch's image tower with the embedded names."""
    preprocessing = towers.network.card.preprocessing
    square = view(image, preprocessing.size, 0, "", interpolation=preprocessing.interpolation)
    return model.task.probabilities(head.logits(towers.features(square[None])), 1.0)
