"""How a trained classifier learns what is strange to it, for the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from eyebright.data.manifest import Manifest, Sample
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.inference import answers
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.sealed.ood_output import with_unknown
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.folds import assign_folds, groups_of
from eyebright.training.linear_probe.targets import strata_of, truth_of
from eyebright.training.ood import MOST_ROWS, fit_unknown, held_out_lengths
from eyebright.types import FloatArray, IntArray
from eyebright.verbs.train.holdout import with_holdout
from eyebright.verbs.train.trained_model import Trained

_FOLDS = 5


@dataclass(frozen=True)
class SealedGraph:
    """A graph that was sealed.

    Attributes:
        graph: with the output `unknown_score`, unless its features cannot be reached.
        scored: by how many images that were not learned from the score's scale was made; 0 without a score.
    """

    graph: onnx.ModelProto
    scored: int


def seal(
    trained: Trained,
    manifest: Manifest,
    path: Path,
    facts: Mapping[str, Any],
    false_rejection: float,
    seed: int,
) -> SealedGraph:
    """Seals a classifier that tells how strange an image is to it, and writes it to ``path``.

    Args:
        trained: the classifier.
        manifest: whose training part it was trained on.
        path: of the file.
        facts: for its metadata.
        false_rejection: share of the model's own images that may count as unknown.
        seed: of the draw of training images, and of the folds.
    """
    network = trained.backbone.model(trained.preprocessing.size)
    graph = sealed_graph(
        network,
        trained.preprocessing,
        trained.taps,
        trained.head,
        trained.temperature,
        trained.several,
    )
    write_sealed(path, graph, manifest.labels, facts)
    samples, rows = _rows(trained, path, manifest, seed)
    if not samples:
        return SealedGraph(graph, 0)
    lengths = held_out_lengths(rows, *_folds(trained, samples, manifest, seed))
    if not len(lengths):
        return SealedGraph(graph, 0)
    graph = with_unknown(graph, fit_unknown(rows, lengths, trained.held_out_energy, false_rejection))
    write_sealed(path, graph, manifest.labels, facts)
    return SealedGraph(graph, len(lengths))


def _rows(
    trained: Trained, path: Path, manifest: Manifest, seed: int
) -> tuple[Sequence[Sample], npt.NDArray[np.floating]]:
    """Some images with their features (n, D): from the cache, or else asked of the sealed file.

    They are of the training part; where fine-tuning was stopped by the validation part, of that one too.
    """
    gone = {s.path for s in trained.skipped}
    samples = [s for s in manifest.of("train") if s.path not in gone]
    if trained.rows is None and manifest.of("test"):
        samples += manifest.of("val")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(samples))[:MOST_ROWS])
    samples = [samples[i] for i in drawn]
    if trained.rows is not None:
        return samples, trained.rows(samples)
    model = SealedModel(path, threads=1)
    kept: list[Sample] = []
    rows: list[FloatArray] = []
    for block in answers(model, manifest.root, samples, default_folder()):
        if block.features is not None:
            kept += block.samples
            rows.append(block.features)
    return kept, np.concatenate(rows) if rows else np.empty((0, 0), np.float32)


def _folds(
    trained: Trained, samples: Sequence[Sample], manifest: Manifest, seed: int
) -> tuple[IntArray, range]:
    """Fold numbers (n,), and those that are scored: all, or what fine-tuning held out, which is fold 0."""
    if trained.rows is not None:
        strata = strata_of(truth_of(samples, manifest))
        folds = assign_folds(strata, groups_of(samples), _FOLDS, seed)
        return folds, range(int(folds.max()) + 1)
    held_out = {s.sha for s in with_holdout(manifest, seed).of("val")}
    return np.array([0 if s.sha in held_out else 1 for s in samples], np.int64), range(1)
