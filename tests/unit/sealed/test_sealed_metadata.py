"""A sealed model's metadata and graph may have been written by anyone: what is not ours is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from eyebright.errors import ModelError
from eyebright.evaluation.uncertainty.conformal import SetRule
from eyebright.runs.run import Run
from eyebright.sealed.metadata import SealedMetadata, decisions_of
from eyebright.sealed.model import SealedModel

LABELS = ["global", "local", "nominal"]
POINT = {
    "target": "recall(local) >= 0.9",
    "class": "local",
    "threshold": 0.2,
    "met": True,
    "chosen_on": "val",
    "chosen_value": 1.0,
}
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def graph(textile_run: Run) -> onnx.ModelProto:
    return onnx.load(textile_run.model)


@pytest.fixture(scope="module")
def entries(graph: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in graph.metadata_props}


def test_what_was_written_reads_back(entries: dict[str, str]) -> None:
    found = SealedMetadata.read(
        entries | {"operating_points": json.dumps([POINT, POINT | {"threshold": 0.8}])}
    )
    assert list(found.labels) == LABELS
    assert found.card.preprocessing.size == 96
    assert found.card.model_dump()["temperature"] == json.loads(entries["card"])["temperature"]
    assert found.decisions.thresholds[1] == 0.2  # of several targets of a class the first decides
    assert [point.threshold for point in found.points] == [0.2, 0.8]
    assert found.set_rule == SetRule(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in json.loads(entries["conformal"]).items()
            if name != "method"
        }
    )
    assert found.metrics is not None
    assert found.metrics.split == "val"


def test_a_model_of_an_earlier_version_has_fewer_entries(entries: dict[str, str]) -> None:
    few = SealedMetadata.read({key: entries[key] for key in ("labels", "card")})
    assert (few.unknown_rule, few.set_rule, few.points, few.metrics) == (None, None, (), None)
    assert few.white_level == 65_535
    assert not few.decisions.changed
    assert not decisions_of({}, LABELS).changed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", None),
        ("labels", "null"),
        ("labels", "[1, 2, 3]"),
        ("labels", '["a", "a", "b"]'),
        ("labels", DEEP),
        ("card", None),
        ("card", "[]"),
        ("card", '{"backbone": "x", "preprocessing": []}'),
        ("card", DEEP),
        ("unknown", "{}"),
        ("unknown", '{"threshold": NaN, "false_rejection": 0.1, "chosen_on": "val", "images": 3}'),
        ("conformal", "[]"),
        ("conformal", DEEP),
        ("task", "multilabel"),
        ("thresholds", '["x"]'),
        ("operating_points", "5"),
        ("operating_points", json.dumps([POINT | {"class": "zebra"}])),
        ("operating_points", json.dumps([POINT | {"threshold": "x"}])),
        ("operating_points", json.dumps([POINT | {"target": "recall(zebra) >= 0.5"}])),
        ("operating_points", json.dumps([POINT | {"target": "at least half"}])),
        ("operating_points", json.dumps([{"class": "local", "threshold": 0.5}])),
        ("costs", "[[1]]"),
        ("costs", "[[0, 1], [1, 0, 2], [1]]"),
        ("metrics", "{"),
        ("metrics", '{"split": "val", "accuracy": 0.5}'),
        ("versions", "[1]"),
        ("white_level", '"bright"'),
    ],
)
def test_an_entry_that_is_something_else_is_named(
    key: str, value: str | None, entries: dict[str, str]
) -> None:
    changed = {name: text for name, text in entries.items() if name != key}
    with pytest.raises(ValueError, match="metadata entry") as caught:
        SealedMetadata.read(changed if value is None else changed | {key: value})
    assert key in str(caught.value) or (key, value) == ("task", "multilabel")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", ['"96"', "-1", "0", "1e9", "Infinity", "NaN", "true", "[1]", "96.7"])
def test_a_size_that_no_image_has_is_refused(size: str, entries: dict[str, str]) -> None:
    card = json.loads(entries["card"])
    text = entries["card"].replace(f'"size": {card["preprocessing"]["size"]}', f'"size": {size}')
    with pytest.raises(ValueError, match=r"card is not valid \(preprocessing.size"):
        SealedMetadata.read(entries | {"card": text})


def saved(graph: onnx.ModelProto, change: Callable[[onnx.ModelProto], object], folder: Path) -> Path:
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    change(model)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def retyped(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = 999


def reshaped(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2**40


def ranked(model: onnx.ModelProto) -> None:
    del model.graph.input[0].type.tensor_type.shape.dim[2:]


def elsewhere(model: onnx.ModelProto) -> None:
    weights = next(tensor for tensor in model.graph.initializer if tensor.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="/etc/passwd")


def looping(model: onnx.ModelProto) -> None:
    """Copy the probabilities 2**62 times."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["on"]), helper.make_node("Identity", ["kept"], ["same"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("same", TensorProto.FLOAT, None),
        ],
    )
    turns = numpy_helper.from_array(np.array(2**62, np.int64), "turns")
    model.graph.initializer.extend([turns, numpy_helper.from_array(np.array(True), "first")])
    for node in model.graph.node:
        node.output[:] = ["before" if name == "probabilities" else name for name in node.output]
        node.input[:] = ["before" if name == "probabilities" else name for name in node.input]
    model.graph.node.append(
        helper.make_node("Loop", ["turns", "first", "before"], ["probabilities"], body=body)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (retyped, "its output is not probabilities, float32"),
        (reshaped, "its output is not probabilities, float32"),
        (ranked, "its input is not images, uint8"),
        (elsewhere, "its weights are in another file"),
        (looping, r"its graph branches or loops \(Loop\)"),
    ],
)
def test_a_graph_that_is_not_ours_is_refused_before_it_runs(
    change: Callable[[onnx.ModelProto], None], said: str, graph: onnx.ModelProto, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=said):
        SealedModel(saved(graph, change, tmp_path))


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "values below 0"), (7.0, "above 1"), (None, "an output of shape")]
)
def test_answers_that_are_no_probabilities_are_refused(
    value: float | None, said: str, graph: onnx.ModelProto, tmp_path: Path
) -> None:
    def constant(model: onnx.ModelProto) -> None:
        rows = np.full((2, 3), 0.3, np.float32) if value is None else np.full((1, 3), value, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(rows, "rows"))
        for node in model.graph.node:
            node.output[:] = ["before" if name == "probabilities" else name for name in node.output]
        model.graph.node.append(helper.make_node("Identity", ["rows"], ["probabilities"]))
        del model.graph.output[1:]

    model = SealedModel(saved(graph, constant, tmp_path))
    with pytest.raises(ModelError, match=said):
        model.predict(np.zeros((40, 40, 3), np.uint8))
