"""The command line that a report shows does the same again, and what is said of the data."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from eyebright.cli.options import options_of, parse
from eyebright.data.manifest import Manifest
from eyebright.data.splits.facts import Period, SplitFacts
from eyebright.runs.messages import command, say_found
from eyebright.runtime.context import showing
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


@pytest.mark.parametrize(("tested", "said"), [("2024-02-01", True), ("2024-04-01", False)])
def test_overlapping_times_are_explained(tested: str, said: bool, capsys: pytest.CaptureFixture[str]) -> None:
    periods = {"train": Period("2024-01-01", "2024-03-01"), "test": Period(tested, "2024-05-01")}
    with showing(True):
        say_found(Manifest(Path(), (), facts=SplitFacts("time", periods=periods)))
    assert ("newest one, so these times overlap" in "".join(capsys.readouterr())) is said
