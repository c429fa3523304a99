"""The command line that a report shows does the same again."""

from __future__ import annotations

import shlex

import pytest

from eyebright.cli.options import options_of, parse
from eyebright.runs.messages import command
from eyebright.verbs.train.options import TrainConfig


@pytest.mark.parametrize(
    "words",
    [
        ["my photos", "--seed", "3"],
        ["photos", "--save-memory", "--no-pixel-cache", "--budget", "1h30m", "--lr", "3e-4"],
        ["photos", "--track", "mlflow", "--track", "tensorboard", "--weights", "none"],
    ],
)
def test_flags_lists_and_spaces_survive(words: list[str]) -> None:
    def config(given: list[str]) -> TrainConfig:
        values = parse(options_of(TrainConfig), given, file=False)
        return TrainConfig.build(**{name: value for name, value in values.items() if name != "help"})

    first = config(words)
    program, verb, *again = shlex.split(command("train", first, ("data",)))
    assert (program, verb) == ("eyebright", "train")
    assert config(again) == first
