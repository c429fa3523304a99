"""Fine-tuning's options: times, what stands for data, and what has no effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyebright.cli.help import verb_help
from eyebright.cli.options import options_of, parse
from eyebright.errors import ConfigError
from eyebright.options.cluster import ClusterConfig
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import time_seconds
from eyebright.options.splits import SplitConfig
from eyebright.options.uncertainty import UncertaintyConfig
from eyebright.text.language import speaking
from eyebright.verbs.train.cli import VERB
from eyebright.verbs.train.finetune.options import FinetuneConfig
from eyebright.verbs.train.options import TaskConfig, TrainConfig, UnlabelledConfig


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("90s", 90),
        ("1h30m", 5400),
        ("1h 2m 3s", 3723),
        ("600", 600),
        (45, 45),
        ("1.5h", 5400),
        ("2min", 120),
        ("10M", 600),
    ],
)
def test_times(text: object, seconds: float) -> None:
    assert time_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10x", "-5m", "0", "0s", "10m1h", "1:30", True, "m10", "10 20"])
def test_times_that_are_none(text: object) -> None:
    with pytest.raises(ConfigError, match="written like 10m, 90s, 1h30m"):
        time_seconds(text)


def test_words_become_what_they_mean() -> None:
    words = "photos --budget 10m --batch 32 --lr find --weights none --track mlflow --track tensorboard"
    given = parse(options_of(TrainConfig), [*words.split(), "--no-pixel-cache", "--save-memory"], file=True)
    given = {name: value for name, value in given.items() if name not in ("help", "config")}
    config = TrainConfig.build(**given)
    assert (config.budget, config.batch, config.lr, config.weights) == (600, 32, "find", "none")
    assert config.track == ["mlflow", "tensorboard"]
    assert (config.pixel_cache, config.save_memory) == (False, True)


def test_weights_may_be_a_file_and_survive_toml(tmp_path: Path) -> None:
    for weights in (Path("net.safetensors"), "none"):
        config = TrainConfig.build(
            data=Path("photos"), weights=weights, budget="90s", track=["mlflow"], lr=3e-4
        )
        file = tmp_path / "config.toml"
        file.write_text(config.toml(), encoding="utf-8")
        assert TrainConfig.build(file) == config


def test_a_run_to_resume_stands_for_the_data() -> None:
    assert TrainConfig.build(resume="runs/first").data is None
    with pytest.raises(ConfigError, match="Data or a run to resume must be given"):
        TrainConfig.build()
    # Data that cannot be is told of once, not also as missing.
    with pytest.raises(ConfigError) as caught:
        TrainConfig.build(data=3)
    assert "data must be a path" in str(caught.value)
    assert "must be given" not in str(caught.value)


def test_options_that_change_nothing_are_known() -> None:
    assert TrainConfig.build(data="photos", epochs=5, mixup=0.2, lr="auto").idle() == ("epochs", "mixup")
    assert TrainConfig.build(data="photos", epochs=5, finetune="last").idle() == ()
    assert TrainConfig.build(data="photos", backbone="vit_tiny", weights="none").idle() == ()


def test_the_datas_options_come_first() -> None:
    names = list(TrainConfig.model_fields)
    assert names[0] == "data"
    further = [*ColumnsConfig.model_fields, *TaskConfig.model_fields, *UnlabelledConfig.model_fields]
    further += [*SplitConfig.model_fields, "target", "cost", *UncertaintyConfig.model_fields]
    further += [*FinetuneConfig.model_fields, *ClusterConfig.model_fields]
    assert names[names.index("lang") + 1 :] == further


def test_the_help_has_groups_and_shows_what_can_be_typed() -> None:
    told = verb_help(VERB, options_of(TrainConfig))
    titles = [line for line in told.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles[:7] == [
        "Arguments:",
        "Options:",
        "Columns of a table:",
        "Splits:",
        "Operating points and costs:",
        "Uncertainty:",
        "Backbone:",
    ]
    assert len(titles) == 15
    for shown in (
        "--budget TIME",
        "--lr NUMBER|auto|find",
        "--no-pixel-cache",
        "--track {tensorboard,mlflow,wandb}",
        "--weights PATH|none",
        "--epochs N ",
    ):
        assert shown in told
    with speaking("zh"):
        assert "骨干网络：" in verb_help(VERB, options_of(TrainConfig))
