"""The race takes the fastest engine whose answers agree, and is run once for a machine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.decode import to_square
from eyebright.engines import choose
from eyebright.engines.choose import (
    AGREEMENT,
    Selected,
    cached_trials,
    disagreement,
    make,
    makers,
    race,
    select,
)
from eyebright.errors import ConfigError, MissingExtraError
from eyebright.runtime.install import install_command
from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing
from eyebright.types import FloatArray, UInt8Array

SIDE = 64
TAPS = feature_layer_sets(embedded.card())["texture"]


@pytest.fixture(scope="module")
def graph() -> bytes:
    return graph_bytes(EmbeddedBackbone(), training_preprocessing(embedded.card(), SIDE), TAPS)


@pytest.fixture(scope="module")
def images(scenes) -> list[UInt8Array]:
    return [to_square(scene.crop((x, 0, x + 200, 200)), SIDE) for scene in scenes for x in (0, 200, 400)]


@pytest.fixture
def short_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_RACE_SECONDS", 0.02)


class Guess:
    """Faster than any engine, and wrong."""

    name = "guess float32"
    precision = "float32"
    callers = 1

    def __init__(self, graph: bytes) -> None:
        self.answer = np.zeros(width(TAPS), np.float32)

    def run(self, image: UInt8Array) -> FloatArray:
        return self.answer


@pytest.mark.usefixtures("short_race")
def test_the_first_is_the_fastest_that_agrees(graph: bytes, images) -> None:
    trials = race(graph, images, mixed=True).trials
    assert {t.name for t in trials} == set(makers())
    agreeing = [t for t in trials if t.error <= AGREEMENT]
    assert trials[0] == max(agreeing, key=lambda t: t.images_per_second)
    assert next(t.error for t in trials if t.name == "onnxruntime float32") == 0
    assert all(t.images_per_second > 0 for t in trials)


@pytest.mark.usefixtures("short_race")
def test_mixed_precision_takes_part_where_it_is_asked_for(tmp_path: Path, graph: bytes, images) -> None:
    left_out = {t.name for t in select(tmp_path, graph, images).trials}
    asked_for = {t.name for t in select(tmp_path, graph, images, mixed=True).trials}
    assert left_out == set(makers()) - {"openvino mixed"}
    assert asked_for == set(makers())


@pytest.mark.usefixtures("short_race")
def test_the_selected_engine_is_not_started_twice(tmp_path: Path, graph: bytes, images) -> None:
    selected = select(tmp_path, graph, images)
    assert selected.engine is not None
    assert selected.engine.name == selected.trials[0].name
    assert select(tmp_path, graph, images).engine is None  # it was remembered


@pytest.mark.usefixtures("short_race")
def test_an_engine_that_is_wrong_comes_last_however_fast(graph, images, monkeypatch) -> None:
    entrants = {"onnxruntime float32": makers()["onnxruntime float32"], "guess float32": Guess}
    monkeypatch.setattr(choose, "makers", lambda: entrants)
    right, wrong = race(graph, images).trials
    assert (right.name, wrong.name) == ("onnxruntime float32", "guess float32")
    assert wrong.error > AGREEMENT


def test_disagreement_is_the_median_features_error_as_a_share_of_its_spread() -> None:
    reference = np.array([[0, 0, 0], [2, 20, 200]], np.float32)  # spreads 1, 10 and 100
    assert disagreement(reference, reference) == 0
    shifted = reference + np.array([0.1, 2, 50], np.float32)  # shares 0.1, 0.2 and 0.5
    assert disagreement(shifted, reference) == pytest.approx(0.2)


def test_features_left_in_float32_do_not_hide_the_error_of_the_others() -> None:
    reference = np.array([[0] * 40, [2] * 40], np.float32)
    error = np.full(40, 1e-5, np.float32)
    error[:5] = 0.2  # an eighth of them: some layers are not float32
    assert disagreement(reference + error, reference) == pytest.approx(0.2)
    error[2:5] = 1e-5  # a twentieth: some features hardly vary
    assert disagreement(reference + error, reference) < 1e-4


def test_features_that_never_move_do_not_count() -> None:
    reference = np.array([[5, 0], [5, 2]], np.float32)
    assert disagreement(reference + np.array([3, 0.1], np.float32), reference) == pytest.approx(0.1)
    still = np.ones((4, 3), np.float32)
    assert disagreement(still + 1, still) == 0


def test_an_unknown_engine_is_answered_with_the_nearest(graph: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        make("onnx-runtime float32", graph)
    assert "onnx-runtime float32" in str(caught.value)
    assert "Choose one of: onnxruntime float32" in str(caught.value)


def test_an_engine_that_is_not_installed_says_how_to_get_it(graph: bytes, monkeypatch) -> None:
    monkeypatch.setattr(choose, "installed", lambda package: False)
    assert list(choose.makers()) == ["onnxruntime float32"]
    with pytest.raises(MissingExtraError, match=re.escape(install_command("openvino"))):
        make("openvino float32", graph)


@pytest.mark.usefixtures("short_race")
def test_a_race_is_run_once_for_a_graph_and_its_images(
    tmp_path: Path, graph: bytes, images, monkeypatch
) -> None:
    raced: list[int] = []

    def counted(graph: bytes, images: list[UInt8Array], *, mixed: bool) -> Selected:
        raced.append(len(images))
        return race(graph, images, mixed=mixed)

    monkeypatch.setattr(choose, "race", counted)
    first = cached_trials(tmp_path, graph, images)
    assert cached_trials(tmp_path, graph, images) == first
    assert raced == [6]
    cached_trials(tmp_path, graph, images[1:])
    assert raced == [6, 5]
    other = graph_bytes(EmbeddedBackbone(), training_preprocessing(embedded.card(), 32), TAPS)
    cached_trials(tmp_path, other, [image[:32, :32] for image in images])
    assert raced == [6, 5, 6]
