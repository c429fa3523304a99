"""Options that another program calls by another name."""

from __future__ import annotations

import pytest

from eyebright.cli.options import options_of, parse
from eyebright.errors import ConfigError
from eyebright.options.synonyms import _MEANINGS, meant
from eyebright.verbs.train.options import TrainConfig

CALLED = [
    ("learning_rate", "lr"),
    ("batch_size", "batch"),
    ("output", "out"),
    ("num_epochs", "epochs"),
    ("image_size", "size"),
    ("random_state", "seed"),
]


@pytest.mark.parametrize(("name", "option"), CALLED)
def test_python_and_the_command_line_name_the_option_that_is_meant(name: str, option: str) -> None:
    with pytest.raises(ConfigError, match=f"Unknown option {name}. Did you mean {option}?"):
        TrainConfig.build(data="photos", **{name: 1})
    typed = f"--{name.replace('_', '-')}"
    with pytest.raises(ConfigError, match=f"Unknown option {typed}. Did you mean --{option}?"):
        parse(options_of(TrainConfig), ["photos", typed, "1"], file=True)


def test_a_meaning_is_named_only_where_there_is_that_option() -> None:
    assert meant("learning_rate", ["out", "lang"]) is None
    assert meant("seed", ["seed"]) == "seed"


def test_no_option_is_listed_as_another_one() -> None:
    options = set(TrainConfig.model_fields)
    assert not options & _MEANINGS.keys()
