"""Fine-tuning by the command line, as quickly as it can be had."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path
from typing import Any

from command_line import RUN_FILES, eyebright, photos

FINETUNED_FILES = RUN_FILES | {"history.csv", "plan.json", "checkpoints", "backbone.safetensors"}
SMALL = ("--size", "64", "--layers", "texture", "--augment", "light", "--precision", "fp32", "--batch", "8")


def few(textile: Path, target: Path, each: int = 8, first: int = 0) -> Path:
    """So many images of every class to train on, and half as many to validate."""
    photos(textile / "train", target / "train", each, first)
    photos(textile / "val", target / "val", each // 2)
    return target


def finished(
    *words: str | Path, cache: Path | None = None, process: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `eyebright train WORDS`, which must succeed."""
    done = eyebright("train", *words, cache=cache, process=process)
    assert done.returncode == 0, done.stderr
    return done


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def learned(run: Path) -> tuple[bytes, str, list[Any]]:
    """All of a run that does not depend on when, how quickly and in how many parts it was done."""
    columns = ("epoch", "step", "train_loss", "val_loss", "val_accuracy", "learning_rate")
    rows = [[row[column] for column in columns] for row in history(run)]
    return (run / "model.onnx").read_bytes(), (run / "predictions.csv").read_text(encoding="utf-8"), rows
