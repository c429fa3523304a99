"""`train --backbone auto`: what was compared is told, and what does not go together with it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from languages import chinese
from metrics_schema import violations

from eyebright.backbones import embedded
from eyebright.backbones.lite.lite import installed
from eyebright.errors import ConfigError
from eyebright.verbs.train.frozen.backbone_choice import check_backbone_choice
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import frozen_backbone, train


def test_the_choice_is_told_in_the_run(textile: Path, tmp_path: Path) -> None:
    run = train(
        TrainConfig(
            data=textile, out=tmp_path / "run", size=96, layers="texture", backbone="auto", budget="10m"
        )
    )
    rows = run.metrics["candidates"]["backbones"]
    assert [row["name"] for row in rows] == [embedded.NAME, *installed()]
    (selected,) = [row["name"] for row in rows if row["selected"]]
    assert run.metrics["chosen"]["backbone"] == selected
    assert f"Backbone: {selected}" in (run.directory / "report.html").read_text(encoding="utf-8")
    assert violations(run) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"finetune": "last"}, "--finetune last"),
        ({"folds": 3}, "--folds"),
        ({"weights": "none"}, "--weights none"),
        ({"dry_run": True}, "--dry-run"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, options: dict, named: str) -> None:
    config = TrainConfig(data=tmp_path, backbone="auto", **options)
    with pytest.raises(ConfigError, match=named) as caught:
        check_backbone_choice(config)
    assert named in chinese(caught.value)


def test_a_folder_of_weights_is_for_a_choice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--backbone auto"):
        check_backbone_choice(TrainConfig(data=tmp_path, weights=tmp_path))
    check_backbone_choice(TrainConfig(data=tmp_path, weights=tmp_path, backbone="auto"))


def test_without_classes_nothing_can_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Name a backbone") as caught:
        frozen_backbone(TrainConfig(data=tmp_path, backbone="auto"))
    assert "--backbone" in chinese(caught.value)
