"""The second output of a sealed model is what was fitted, and the first stays what it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import eyebright as eb
from eyebright.data.decode import decode
from eyebright.errors import ModelError
from eyebright.runs.run import Run
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.graph import LOGITS, UNKNOWN
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import SealedModel, set_metadata
from eyebright.sealed.ood_output import with_unknown
from eyebright.sealed.subgraphs import FEATURES
from eyebright.training.ood import Scale, energy, fit_and_hold_out, fit_residual, fit_unknown


def without_score(run: Run, folder: Path, *, keep_rule: bool = True) -> Path:
    """The file as an earlier version wrote it."""
    graph = onnx.load(run.model)
    metadata = dict(SealedModel(run.model).metadata)
    del graph.graph.output[1:]
    if not keep_rule:
        metadata = {k: v for k, v in metadata.items() if k not in ("unknown", "conformal")}
    set_metadata(graph, metadata)
    path = folder / "old.onnx"
    onnx.save(graph, path)
    return path


def plain_graph(run: Run) -> onnx.ModelProto:
    """The run's graph without the score."""
    graph = onnx.load(run.model)
    later = ("unknown", "answer")
    nodes = [n for n in graph.graph.node if not any(name.startswith(later) for name in n.output)]
    constants = [t for t in graph.graph.initializer if not t.name.startswith(later)]
    del graph.graph.node[:], graph.graph.output[1:], graph.graph.initializer[:]
    graph.graph.node.extend(nodes)
    graph.graph.initializer.extend(constants)
    return graph


@pytest.fixture(scope="module")
def images(textile: Path) -> list[np.ndarray]:
    return [decode(path, min_side=96) for path in sorted((textile / "val").rglob("*.jpg"))[::6]]


def test_probabilities_are_equal_bit_for_bit(textile_run: Run, images, tmp_path: Path) -> None:
    model, old = SealedModel(textile_run.model, 1), SealedModel(without_score(textile_run, tmp_path), 1)
    for image in images:
        probabilities, score = model.predict_batch(image[None])
        before, nothing = old.predict_batch(image[None])
        assert nothing is None
        assert score is not None
        assert (score.shape, score.dtype) == ((1,), np.dtype(np.float32))
        np.testing.assert_array_equal(probabilities, before)


@pytest.mark.parametrize("with_energy", [True, False])
def test_the_graph_computes_what_numpy_does(textile_run: Run, images, with_energy: bool) -> None:
    split = SealedModel(textile_run.model, 1).split_model
    assert split is not None
    rows = np.concatenate([split.features(image[None]) for image in images])
    half = len(rows) // 2
    plain = plain_graph(textile_run)
    plain.graph.output.append(onnx.helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, ["B", 3]))
    session = open_session(plain.SerializeToString(), 1)
    logits = np.concatenate([session.run([LOGITS], {"images": image[None]})[0] for image in images])
    _, lengths = fit_and_hold_out(rows, np.arange(len(rows)) % 2, [0, 1])
    score = fit_unknown(fit_residual(rows[:half]), lengths, energy(logits) if with_energy else None, 0.4)
    whole = open_session(with_unknown(plain, score).SerializeToString(), 1)
    found = [whole.run([UNKNOWN], {"images": image[None]})[0][0] for image in images]
    np.testing.assert_allclose(found, score.scores(rows, logits), rtol=1e-3, atol=1e-3)
    assert (score.energy_scale is not None) == with_energy


def test_halves_and_whole_file_agree(textile_run: Run, textile_manifest) -> None:
    model = SealedModel(textile_run.model, 1)
    samples = textile_manifest.of("val")[:6]
    (block,) = predict_blocks(model, textile_manifest.root, samples)
    whole = [model.predict(textile_manifest.root / s.path) for s in samples]
    assert block.scores is not None
    assert [p.unknown_score for p in whole] == pytest.approx(block.scores.tolist(), rel=1e-3, abs=1e-3)


def test_a_file_whose_features_cannot_be_reached_has_scores(
    textile_run: Run, textile_manifest, tmp_path: Path
) -> None:
    graph = onnx.load(textile_run.model)
    for node in graph.graph.node:
        for names in (node.input, node.output):
            names[:] = ["renamed" if name == FEATURES else name for name in names]
    path = tmp_path / "renamed.onnx"
    onnx.save(graph, path)
    samples = textile_manifest.of("val")[:6]
    (split,) = predict_blocks(SealedModel(textile_run.model, 1), textile_manifest.root, samples)
    (whole,) = predict_blocks(SealedModel(path, 1), textile_manifest.root, samples)
    assert whole.features is None
    np.testing.assert_allclose(whole.scores, split.scores, rtol=1e-3, atol=1e-3)


def test_a_photograph_is_unknown_to_a_textile_model(
    textile_run: Run, photographs: dict[str, Image.Image], textile: Path
) -> None:
    model = eb.load(textile_run.model)
    own = [model.predict(path) for path in sorted((textile / "val").rglob("*.jpg"))]
    assert np.mean([bool(p.unknown) for p in own]) < 0.3
    for picture in photographs.values():
        found = model.predict(picture)
        assert found.unknown is True
        assert found.label in model.labels
        assert found.unknown_score > max(p.unknown_score or 0 for p in own)
    assert all(p.set and p.set[0] in p.labels for p in own)


@pytest.mark.parametrize("keep_rule", [True, False])
def test_an_earlier_file_answers_as_before(
    textile_run: Run, textile: Path, tmp_path: Path, keep_rule: bool
) -> None:
    model = eb.load(without_score(textile_run, tmp_path, keep_rule=keep_rule))
    found = model.predict(next((textile / "val").rglob("*.jpg")))
    assert (found.unknown, found.unknown_score) == (None, None)
    assert (found.set is not None) == keep_rule


@pytest.mark.parametrize("broken", ['{"threshold": "x"}', "[1]", '{"coverage": 0.9}'])
def test_metadata_that_is_not_ours_is_refused(textile_run: Run, tmp_path: Path, broken: str) -> None:
    path = tmp_path / "model.onnx"
    shutil.copyfile(textile_run.model, path)
    graph = onnx.load(path)
    metadata = dict(SealedModel(path).metadata)
    set_metadata(graph, metadata | {"unknown": broken, "conformal": broken})
    onnx.save(graph, path)
    with pytest.raises(ModelError):
        SealedModel(path)


def test_held_out_rows_are_measured_by_a_fit_without_them(textile_run: Run, images) -> None:
    split = SealedModel(textile_run.model, 1).split_model
    assert split is not None
    rows = np.concatenate([split.features(image[None]) for image in images])
    folds = np.arange(len(rows)) % 2
    whole, found = fit_and_hold_out(rows, folds, [0])
    np.testing.assert_array_equal(found, fit_residual(rows[folds == 1]).lengths(rows[folds == 0]))
    np.testing.assert_array_equal(whole.lengths(rows), fit_residual(rows).lengths(rows))
    assert found.mean() > whole.lengths(rows).mean()


def test_a_scale_has_the_agreed_share_beyond_one() -> None:
    values = np.arange(1, 100, dtype=np.float32)
    scaled = Scale.fit(values, 0.1).of(values)
    assert np.median(scaled) == 0
    assert (scaled > 1).sum() == 9
    assert Scale.fit(np.full(5, 3, np.float32), 0.1).of(np.array([3, 4], np.float32))[1] > 1
