"""Backbones are compared on the same images, and a dearer one must earn its price."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from eyebright.backbones import embedded
from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import BackboneCard
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.lite.lite import with_weights
from eyebright.data.manifest import Manifest
from eyebright.training.linear_probe import backbone_selection
from eyebright.training.linear_probe.backbone_selection import BackboneChoice, choose_backbone

SIZE = 64


class Another:
    """The embedded network under another name, with more weights on its card; a blind one sees nothing."""

    def __init__(self, name: str, parameters: int, *, blind: bool = False) -> None:
        self.card: BackboneCard = replace(embedded.card(), name=name, parameters=parameters, sha=name)
        self.graph = embedded.model()
        if blind:
            stored = {t.name: numpy_helper.to_array(t) for t in self.graph.graph.initializer}
            packed = [name.removesuffix("_int16") for name in stored if name.endswith("_int16")]
            zeros = {
                name: np.zeros(stored[f"{name}_int16"].shape, np.float32)
                for name in packed
                if name != "classifier_weight"
            }
            self.graph = with_weights(EmbeddedBackbone(), zeros)

    def model(self, size: int) -> onnx.ModelProto:
        copied = onnx.ModelProto()
        copied.CopyFrom(self.graph)
        return copied


def choose(
    manifest: Manifest, cache: Path, *backbones: Backbone, seconds: float | None = None
) -> BackboneChoice:
    return choose_backbone(manifest, backbones, cache, size=SIZE, layers="texture", seed=0, seconds=seconds)


def test_one_that_sees_more_is_worth_its_price(textile_manifest: Manifest, feature_cache: Path) -> None:
    blind = Another("blind", 1000, blind=True)
    choice = choose(textile_manifest, feature_cache, EmbeddedBackbone(), blind)
    assert choice.backbone.card.name == embedded.NAME
    assert [row.name for row in choice.compared] == ["blind", embedded.NAME]  # the cheapest first
    assert [row.selected for row in choice.compared] == [False, True]
    assert choice.compared[0].count == len(textile_manifest.of("train"))
    assert choice.compared[0].correct < choice.compared[1].correct
    assert all(rate > 0 for rate in choice.rates)


def test_of_equals_the_cheapest_is_taken(textile_manifest: Manifest, feature_cache: Path) -> None:
    twin = Another("twin", 10**9)
    choice = choose(textile_manifest, feature_cache, twin, EmbeddedBackbone())
    assert choice.backbone.card.name == embedded.NAME
    first, second = choice.compared
    assert first.log_loss == pytest.approx(second.log_loss)


def test_what_the_time_does_not_allow_is_not_tried(textile_manifest: Manifest, feature_cache: Path) -> None:
    twin = Another("twin", 10**9)
    choice = choose(textile_manifest, feature_cache, EmbeddedBackbone(), twin, seconds=0)
    assert [row.name for row in choice.compared] == [embedded.NAME]
    assert choice.too_slow == ["twin"]


def test_what_the_first_images_leave_open_is_asked_of_more(
    textile_manifest: Manifest, feature_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone_selection, "SUBSET", 40)
    every = len(textile_manifest.of("train"))
    backbones = Another("blind", 1000, blind=True), EmbeddedBackbone(), Another("twin", 10**9)
    choice = choose(textile_manifest, feature_cache, *backbones)
    assert choice.backbone.card.name == embedded.NAME
    blind, own, twin = (row.count for row in choice.compared)
    assert blind < every  # it was given up
    assert own == twin == every
    hurried = choose(textile_manifest, feature_cache, *backbones[1:], seconds=1e-9)
    assert [row.count < every for row in hurried.compared] == [True]
