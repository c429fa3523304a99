"""`eyebright tune` with real trainings: two trials, one epoch each."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from command_line import RUN_FILES, eyebright, kept_when_replaced, metrics

pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("optuna")

from finetuning import FINETUNED_FILES, few

FILES = FINETUNED_FILES | {"search.html", "search.sqlite", "search.toml", "trials.csv"}


def test_two_trials_and_a_model(textile: Path, tmp_path: Path) -> None:
    data, run = few(textile, tmp_path / "data"), tmp_path / "run"
    words = ("--trials", "2", "--epochs", "1", "--size", "64", "--finetune", "last", "--batch", "8")
    done = eyebright("tune", data, *words, "--precision", "fp32", "--out", run)
    assert done.returncode == 0, done.stderr
    assert "Trial 2: " in done.stderr
    assert {path.name for path in run.iterdir()} == FILES
    with (run / "trials.csv").open(encoding="utf-8", newline="") as file:
        trials = list(csv.DictReader(file))
    assert [trial["trial"] for trial in trials] == ["1", "2"]
    best = min(trials, key=lambda trial: float(trial["loss"]))
    assert metrics(run)["chosen"]["lr"] == pytest.approx(float(best["lr"]), rel=0.01)
    assert metrics(run)["chosen"]["finetune"] == "last"
    # Gone on with: a third trial, and nothing of the first two again.
    done = eyebright("tune", "--resume", run, "--trials", "3")
    assert done.returncode == 0, done.stderr
    assert "Trial 3: " in done.stderr
    assert "Trial 2: " not in done.stderr
    assert {path.name for path in run.iterdir()} == FILES
    assert kept_when_replaced(run) == RUN_FILES - {"metrics.json"}
