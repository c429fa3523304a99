"""Options from config classes, and what the command line makes of words."""

from __future__ import annotations

from typing import Any

import pytest

from eyebright.cli.options import options_of, parse
from eyebright.errors import ConfigError
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.train.options import TrainConfig


def given(config: Any, *words: str) -> dict[str, Any]:
    values = parse(options_of(config), words, file=True)
    return {name: value for name, value in values.items() if value is not None and name != "help"}


@pytest.mark.parametrize(
    "words",
    [
        ["m.onnx", "photos", "--seed", "3"],
        ["m.onnx", "--seed", "3", "photos"],
        ["--seed=3", "m.onnx", "photos"],
        ["--seed", "3", "--", "m.onnx", "photos"],
    ],
)
def test_options_stand_anywhere(words: list[str]):
    assert given(EvaluateConfig, *words) == {"model": "m.onnx", "data": "photos", "seed": "3"}


def test_several_images_and_standard_input():
    values = given(PredictConfig, "m.onnx", "a b.jpg", "--top", "3", "-", "图.png", "--null")
    assert values == {"model": "m.onnx", "images": ["a b.jpg", "-", "图.png"], "top": "3", "null": True}


def test_names_that_begin_with_a_dash_follow_two():
    assert given(PredictConfig, "m.onnx", "--", "-odd.jpg")["images"] == ["-odd.jpg"]


@pytest.mark.parametrize(("text", "value"), [("0.25", 0.25), ("held/out", "held/out"), ("nan", "nan")])
def test_a_share_is_a_number_and_a_folder_is_not(text: str, value: object):
    assert given(TrainConfig, "photos", "--val", text)["val"] == value


def test_nothing_given_is_nothing():
    assert given(PredictConfig) == {}


def test_options_are_not_abbreviated():
    with pytest.raises(ConfigError, match="--format"):
        given(PredictConfig, "m.onnx", "a.jpg", "--form", "csv")


def test_how_the_help_writes_them():
    shown = {o.field: o.shown for o in [*options_of(TrainConfig), *options_of(PredictConfig)]}
    assert shown["data"] == "DATA"
    assert shown["images"] == "IMAGES …"
    assert shown["val"] == "--val PATH|SHARE"
    assert shown["size"] == "--size N|auto"
    assert shown["format"] == "--format {table,csv,jsonl}"
    assert shown["null"] == "--null"
