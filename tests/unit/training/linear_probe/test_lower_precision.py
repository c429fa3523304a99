"""Heads of many images learn from mixed precision only where they answer alike to float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.manifest import Manifest
from eyebright.engines.choose import Selected, Trial, makers
from eyebright.runtime.context import showing
from eyebright.task.task import task_of
from eyebright.training.linear_probe import probe as frozen
from eyebright.training.linear_probe.probe import FrozenModel, FrozenTrainer
from eyebright.verbs.train.frozen.linear_probe import probabilities

pytestmark = pytest.mark.skipif("openvino mixed" not in makers(), reason="needs bfloat16 of the processor")

SIZE = 96
MIXED = Trial("openvino mixed", 2.0, 0.01)
FLOAT32 = Trial("openvino float32", 1.0, 0.0)


def train(manifest: Manifest, cache: Path, *, mixed: bool = True) -> FrozenModel:
    trainer = FrozenTrainer(
        manifest, EmbeddedBackbone(), cache, views=1, layers="stages", seed=0, mixed=mixed
    )
    return trainer.train(SIZE)


@pytest.fixture
def raced(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each race was one in which mixed precision takes part, and wins."""
    asked: list[bool] = []

    def select(folder: Path, graph: bytes, images: object, *, mixed: bool) -> Selected:
        asked.append(mixed)
        return Selected([MIXED, FLOAT32] if mixed else [FLOAT32], None)

    monkeypatch.setattr(frozen, "select", select)
    monkeypatch.setattr(frozen, "MANY", 10)
    return asked


def test_the_head_answers_alike_and_is_compared_with_the_sealed_model_in_float32(
    textile_manifest: Manifest, feature_cache: Path, raced: list[bool], monkeypatch
) -> None:
    monkeypatch.setattr(frozen, "LARGEST_MOVE", 1.0)  # of 40 images a head is less steady than of 3,000
    model = train(textile_manifest, feature_cache)
    assert model.extractor.engine == "openvino mixed"
    assert raced == [True, True]  # and again at the size and layers that were selected
    exact = model.extractor.in_float32()
    assert exact.engine == "openvino float32"
    asked = textile_manifest.of("train")[:8]
    found = probabilities(model, 1.0, None, textile_manifest.root, asked)
    expected = model.fit.head.logits(exact.read(asked, exact.taps))
    np.testing.assert_array_equal(found, task_of(model.truth).probabilities(expected))
    lower = model.extractor.read(asked, exact.taps)
    assert 0 < np.abs(lower - exact.read(asked, exact.taps)).max() < 1


def test_a_head_that_answers_otherwise_is_solved_again(
    textile_manifest: Manifest, feature_cache: Path, raced: list[bool], monkeypatch, capsys
) -> None:
    monkeypatch.setattr(frozen, "LARGEST_MOVE", 0.0)
    with showing(True):
        model = train(textile_manifest, feature_cache)
    assert model.extractor.engine == "openvino float32"
    assert model.trials == [FLOAT32]
    assert "openvino mixed is not used" in capsys.readouterr().err
    never = train(textile_manifest, feature_cache, mixed=False)
    np.testing.assert_array_equal(model.fit.head.weights, never.fit.head.weights)


def test_an_engine_that_errs_at_the_selected_size_is_left(
    textile_manifest: Manifest, feature_cache: Path, monkeypatch
) -> None:
    winners = [[MIXED, FLOAT32], [FLOAT32, MIXED]]
    monkeypatch.setattr(frozen, "select", lambda *_, **__: Selected(winners.pop(0), None))
    monkeypatch.setattr(frozen, "MANY", 10)
    assert train(textile_manifest, feature_cache).extractor.engine == "openvino float32"
    assert winners == []


def test_few_images_are_computed_in_float32(
    textile_manifest: Manifest, feature_cache: Path, raced: list[bool], monkeypatch
) -> None:
    monkeypatch.setattr(frozen, "MANY", len(textile_manifest.of("train")) + 1)
    assert train(textile_manifest, feature_cache).extractor.engine == "openvino float32"
    assert raced == [False]
