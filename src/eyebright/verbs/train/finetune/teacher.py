"""The teacher of a training: a sealed model that is run on fixed views of the training images.

Teacher and student see the same crop of the same image, mirrored and coloured alike, each at its own input
size: a teacher that sees something else than the student teaches worse (Beyer et al., 2022). Because the
views are fixed, the teacher is run on each once, and its predictions are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.data.decode import load_sample
from eyebright.data.manifest import Sample
from eyebright.engines.base import Engine
from eyebright.engines.choose import cached_trials, make
from eyebright.engines.selection import trial_images
from eyebright.errors import ConfigError
from eyebright.exporting.base import ExportSource
from eyebright.exporting.certificate.hashes import sha256
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.runs.images import check_classes
from eyebright.runtime.parallel import parallel
from eyebright.sealed.graph import OUTPUT
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import FEATURES, RESIZED, subgraph_from
from eyebright.text.language import translate
from eyebright.training.cache.store import default_folder
from eyebright.training.finetune.data.activation_cache import ActivationSource, CachedViews, cache_activations
from eyebright.training.finetune.data.augment import Augmentation
from eyebright.training.finetune.data.frozen_stem import run_engine
from eyebright.training.finetune.data.pixels import open_pixels
from eyebright.types import FloatArray
from eyebright.verbs.train.options import TrainConfig

_ANSWERS = "answers"
_LEAST = 1e-30  # of a probability whose logarithm is taken
_DIRECTIONS = 128  # of the teacher's features that are guessed, at most
_BASIS_IMAGES = 1000  # from which these are found
_SMALLEST_DEVIATION = 0.3  # of the median feature, as for the solved head


@dataclass(frozen=True)
class Basis:
    """The directions in which a teacher's features differ most from image to image.

    Attributes:
        mean: (D,) of the features.
        directions: (D, F); what lies along them has mean square 1 over all.
    """

    mean: FloatArray
    directions: FloatArray

    @property
    def digest(self) -> str:
        """Return the key of the predictions in the cache."""
        return hashlib.blake2b(self.mean.tobytes() + self.directions.tobytes(), digest_size=16).hexdigest()


def distilled_width(config: TrainConfig, samples: Sequence[Sample]) -> int:
    """Return F, how many numbers of the teacher's features are distilled."""
    if config.teacher is None or not config.teacher_features:
        return 0
    return min(_DIRECTIONS, _basis_count(samples) - 1)


def teacher_predictions(
    config: TrainConfig,
    root: Path,
    labels: Sequence[str],
    samples: Sequence[Sample],
    augmentation: Augmentation,
    until: float | None = None,
) -> CachedViews:
    """Return the teacher's log-probabilities (K) and features (F) of each view, from the cache or computed.

    Args:
        config: with a ``teacher``.
        root: of the samples' paths.
        labels: the K classes.
        samples: the training images, all of which can be read.
        augmentation: of the views.
        until: on the monotonic clock; views that would not be complete then are left out, but for the first.

    Raises:
        NotFoundError, ModelError: the teacher is not there, or not a sealed model.
        DataError: it knows other classes.
        ConfigError: its features are wanted and cannot be read.
    """
    model = SealedModel(config.teacher or Path(), threads=1)
    check_classes(model, labels)
    source = ExportSource(model, onnx.load(model.path))
    interpolation = source.preprocessing.interpolation
    engine_name = _fastest(source, root, samples)
    basis = None
    if count := distilled_width(config, samples):
        basis = _basis(source, engine_name, root, samples, count)
    engine = make(engine_name, _graph(source, basis).SerializeToString())
    card = {
        "backbone": f"teacher {model.card.backbone}",
        "backbone_sha": sha256(model.path),
        "engine": engine.name,
        "basis": None if basis is None else basis.digest,
    }
    width = len(labels) + (0 if basis is None else basis.directions.shape[1])
    frozen = ActivationSource(lambda pixels: run_engine(engine, pixels), width, card, threads=True)
    cache = default_folder() if config.pixel_cache else None
    side = augmentation.stored_size(model.size)
    pixels, _ = open_pixels(root, samples, side, interpolation, cache)
    views = config.teacher_views
    rows = CachedViews(frozen, pixels, model.size, augmentation, default_folder(), views, config.seed)
    rows.limit(cache_activations(frozen, rows.jobs, 1, translate("Running the teacher"), until))
    return rows


def _fastest(source: ExportSource, root: Path, samples: Sequence[Sample]) -> str:
    """Return the engine for the teacher; operators of its own only ONNX Runtime knows."""
    if any(node.domain not in ("", "ai.onnx") for node in source.graph.graph.node):
        return "onnxruntime float32"
    squares = trial_images([root / s.path for s in samples], source.preprocessing)
    return cached_trials(default_folder(), _graph(source, None).SerializeToString(), squares)[0].name


def _graph(source: ExportSource, basis: Basis | None) -> onnx.ModelProto:
    """Return the graph `images` uint8 (B, S, S, 3) → `answers` (B, K + F)."""
    after = GraphBuilder()
    least = after.constant("least_probability", np.array(_LEAST, np.float32))
    kept = after.node("Max", [OUTPUT, least], "kept_probabilities")
    rows = [after.node("Log", [kept], "log_probabilities")]
    wanted = [OUTPUT]
    if basis is not None:
        wanted.append(FEATURES)
        mean = after.constant("mean_features", basis.mean)
        centred = after.node("Sub", [FEATURES, mean], "centred_features")
        directions = after.constant("directions", basis.directions)
        rows.append(after.node("MatMul", [centred, directions], "main_features"))
    width = len(source.labels) + (0 if basis is None else basis.directions.shape[1])
    after.node("Concat", rows, _ANSWERS, axis=1)
    return _from_squares(source, wanted, after, _ANSWERS, width)


def _from_squares(
    source: ExportSource, wanted: Sequence[str], after: GraphBuilder, output: str, width: int
) -> onnx.ModelProto:
    """Return the sealed graph behind its resize, which images of the right size do not need."""
    before, side = GraphBuilder(), source.size
    channels_first = before.node("Transpose", ["images"], "images_nchw", perm=[0, 3, 1, 2])
    before.node("Cast", [channels_first], RESIZED, to=TensorProto.FLOAT)
    part = subgraph_from(source.graph, RESIZED, side, wanted)
    graph = helper.make_graph(
        [*before.nodes, *part.graph.node, *after.nodes],
        "teacher",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", side, side, 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["B", width])],
        [*part.graph.initializer, *after.initializers],
    )
    return helper.make_model(graph, opset_imports=part.opset_import, ir_version=part.ir_version)


def _basis(source: ExportSource, engine: str, root: Path, samples: Sequence[Sample], count: int) -> Basis:
    """Return the first ``count`` directions of the teacher's features over some training images."""
    if not any(FEATURES in node.output for node in source.graph.graph.node):
        raise ConfigError(
            "--teacher-features needs a teacher whose pooled features can be read. Compression "
            "removed them from {path}. Remove the option, or use the model from before compression.",
            path=source.model.path,
        )
    width = _feature_width(source)
    graph = _from_squares(source, [FEATURES], GraphBuilder(), FEATURES, width)
    running: Engine = make(engine, graph.SerializeToString())
    size, how = source.size, source.preprocessing.interpolation
    some = spread(samples, _basis_count(samples))
    found = parallel(lambda s: running.run(load_sample(root, s, size, how)), some)
    rows = np.stack(list(found)).astype(np.float64)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    moving = deviation[deviation > 0]
    deviation = np.maximum(deviation, _SMALLEST_DEVIATION * float(np.median(moving)) if len(moving) else 1.0)
    scaled = (rows - mean) / deviation
    _, left = np.linalg.eigh(scaled @ scaled.T)
    directions = scaled.T @ left[:, ::-1][:, :count]
    directions /= np.linalg.norm(directions, axis=0)
    directions /= np.sqrt(np.square(scaled @ directions).mean())
    return Basis(mean.astype(np.float32), (directions / deviation[:, None]).astype(np.float32))


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Return ``count`` of the samples, evenly spread."""
    return [samples[i * len(samples) // count] for i in range(count)]


def _basis_count(samples: Sequence[Sample]) -> int:
    return min(len(samples), _BASIS_IMAGES)


def _feature_width(source: ExportSource) -> int:
    """Return D, from the weights of the linear head that takes the features."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in source.graph.graph.initializer}
    head = next(node for node in source.graph.graph.node if FEATURES in node.input)
    return int(next(shapes[name][0] for name in head.input if len(shapes.get(name, ())) == 2))
