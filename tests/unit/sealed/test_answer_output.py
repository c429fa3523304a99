"""The file's own answer is what is decided, whatever the decisions are, and changes nothing else in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from eyebright.data.decode import decode
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import ModelError
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.runs.parity_check import check_answers
from eyebright.runs.predictions_csv import read_predictions
from eyebright.runs.run import Run
from eyebright.runs.scoring import predict_samples
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.answer_output import answer_graph, with_answer
from eyebright.sealed.graph import ANSWER, OUTPUT, UNKNOWN
from eyebright.sealed.model import SealedModel, UnwrittenModel, sealed_with

NONE = np.nan
COSTS = np.array([[0, 1, 4], [2, 0, 1], [9, 1, 0]], float)
DECISIONS = {
    "likeliest": Decisions(np.full(3, NONE)),
    "unknown": Decisions(np.full(3, NONE), unknown_above=0.7),
    "thresholds": Decisions(np.array([NONE, 0.3, 0.1]), unknown_above=0.3),
    "all thresholds": Decisions(np.array([0.6, 0.3, 0.1])),
    "nothing": Decisions(np.array([NONE, NONE, 0.0]), unknown_above=1.0),
    "costs": Decisions(np.full(3, NONE), COSTS, unknown_above=0.7),
    "equal costs": Decisions(np.full(3, NONE), np.ones((3, 3)) - np.eye(3)),
    "labels": Decisions(np.array([0.5, 0.3, 0.1]), multilabel=True, unknown_above=0.7),
}


def given() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, 3) and scores (N,): random ones, ties, and at and beside thresholds and limits."""
    generator = np.random.default_rng(0)
    random = generator.dirichlet([0.4] * 3, 500)
    levels = np.float32([0, 0.1, 0.3, 0.5, 0.6, 1 / 3, 1])
    edges = np.stack(np.meshgrid(*[np.clip(beside(levels), 0, 1)] * 3), axis=-1).reshape(-1, 3)
    probabilities = np.concatenate([random, edges]).astype(np.float32)
    scores = np.append(beside(np.float32([0.3, 0.7, 1])), np.float32(0))
    return probabilities, np.resize(scores, len(probabilities))


def beside(values: np.ndarray) -> np.ndarray:
    """Values with the float32 before and after each."""
    return np.concatenate([values, *(np.nextafter(values, np.float32(end)) for end in (-1, 2))])


@pytest.mark.parametrize("name", DECISIONS)
def test_the_graph_answers_what_is_decided(name: str, textile_run: Run) -> None:
    decisions = DECISIONS[name]
    graph = with_answer(onnx.load(textile_run.model), decisions)
    probabilities, scores = given()
    session = open_session(answer_graph(graph))
    answers = session.run([ANSWER], {OUTPUT: probabilities, UNKNOWN: scores})[0]
    assert answers.dtype == np.int64
    assert answers.tolist() == decisions.answer(probabilities, scores).tolist()
    assert len(np.unique(answers)) >= (2 if name == "nothing" else 3)


def test_other_outputs_stay_bit_equal_and_an_answer_is_replaced(textile_run: Run, textile: Path) -> None:
    pixels = [decode(path)[None] for path in sorted((textile / "val").rglob("*.jpg"))[::7]]
    graph = onnx.load(textile_run.model)
    before = UnwrittenModel(textile_run.model, _without(graph))
    assert not before.has_answer
    changed = sealed_with(graph, before.labels, before.metadata | {"costs": COSTS.tolist()})
    assert [output.name for output in changed.graph.output] == [OUTPUT, UNKNOWN, ANSWER]
    after = UnwrittenModel(textile_run.model, changed)
    for image in pixels:
        probabilities, scores, answers = after.predict_answers(image)
        for new, old in zip((probabilities, scores), before.predict_batch(image), strict=True):
            np.testing.assert_array_equal(new, old)
        assert answers.tolist() == after.decisions.answer(probabilities, scores).tolist()
    again = with_answer(changed, before.decisions)
    assert again.graph == with_answer(_without(graph), before.decisions).graph


def test_a_trained_model_answers_as_it_predicts(decided_run: Run, textile: Path) -> None:
    model = SealedModel(decided_run.model)
    rows = {row.path: row for row in read_predictions(decided_run.directory / "predictions.csv")}
    differs, right = 0, 0
    for path in sorted((textile / "val").rglob("*.jpg")):
        prediction = model.predict(path)
        [answer] = model.predict_answers(decode(path)[None])[2]
        assert answer == (-1 if prediction.unknown else model.labels.index(prediction.label))
        row = rows[path.relative_to(textile).as_posix()]
        assert row.predicted == prediction.label
        differs += max(prediction.probabilities) > prediction.confidence
        right += row.predicted == row.label
    assert differs > 3  # the target changes what is predicted
    assert right / len(rows) == pytest.approx(decided_run.metrics["accuracy"]["value"])


def test_an_earlier_version_predicts_the_same(decided_run: Run, textile: Path, tmp_path: Path) -> None:
    new = SealedModel(decided_run.model)
    onnx.save(_without(onnx.load(decided_run.model)), tmp_path / "model.onnx")
    old = SealedModel(tmp_path / "model.onnx")
    assert not old.has_answer
    for path in sorted((textile / "val").rglob("*.jpg"))[::5]:
        assert replace(old.predict(path), path=None) == replace(new.predict(path), path=None)


def test_a_file_that_answers_otherwise_is_rejected(decided_run: Run, tmp_path: Path) -> None:
    written = SealedModel(decided_run.model, threads=1)
    manifest = read_manifest(decided_run.directory / "manifest.parquet")
    predictions = predict_samples(written, manifest.root, manifest.of("val"))
    path = tmp_path / "model.onnx"
    check_answers(UnwrittenModel(path, written.graph()), predictions, manifest.root)
    wrong = with_answer(written.graph(), Decisions(np.full(3, np.nan)))
    with pytest.raises(ModelError, match="output answer of the sealed model must be"):
        check_answers(UnwrittenModel(path, wrong), predictions, manifest.root)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx.rejected"]


def _without(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph as earlier versions wrote it."""
    outputs = [output for output in graph.graph.output if output.name != ANSWER]
    nodes = [node for node in graph.graph.node if not node.output[0].startswith(ANSWER)]
    tensors = [tensor for tensor in graph.graph.initializer if not tensor.name.startswith(ANSWER)]
    found = helper.make_graph(nodes, graph.graph.name, graph.graph.input, outputs, tensors)
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    whole.graph.CopyFrom(found)
    return whole
