"""What a resumed fine-tuning can tell of options that have changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from eyebright.training.finetune.recipe import recipe_changes
from eyebright.verbs.train.finetune.recipe import epochs_of, recipe_of
from eyebright.verbs.train.options import TrainConfig

PLAIN: dict[str, Any] = {"data": Path("photos"), "finetune": "full", "augment": "light"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 3),
        ("batch", 7),
        ("seed", 4),
        ("optimizer", "sgd"),
        ("schedule", "plateau"),
        ("weight_decay", 0.3),
        ("unfreeze", 2),
        ("label_smoothing", 0.0),
        ("sampler", "balanced"),
        ("patience", 0),
        ("gradual", True),
        ("augment", "trivial"),
        ("random_erasing", 0.5),
        ("mixup", 0.2),
        ("cutmix", 1.0),
        ("dropout", 0.5),
        ("drop_path", 0.1),
        ("save_memory", True),
    ],
)
def test_each_option_that_changes_the_course_is_told(option: str, value: Any) -> None:
    configs = (TrainConfig.build(**PLAIN), TrainConfig.build(**PLAIN | {option: value}))
    before, now = (recipe_of(config, "full", "fp32", None, True).to_json() for config in configs)
    told = [text for text in recipe_changes(before, now) if text.startswith(f"{option} was")]
    assert told == [f"{option} was {before[option]} and is {value} from here on."]


def test_a_budget_is_not_left_unspent_for_want_of_epochs() -> None:
    plain, timed = TrainConfig.build(**PLAIN), TrainConfig.build(**PLAIN, budget="1h")
    assert epochs_of(timed, "full") > epochs_of(plain, "full")
    assert epochs_of(TrainConfig.build(**PLAIN, budget="1h", epochs=2), "full") == 2
