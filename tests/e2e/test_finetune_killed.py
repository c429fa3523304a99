"""SIGKILL at any moment of a fine-tuning: `--resume` ends with the very bytes of an undisturbed run."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest
from command_line import command, environment, same_engine
from unix import UNIX

pytest.importorskip("torch")
pytest.importorskip("timm")

from finetuning import SMALL, few, finished, learned

_CHANGES_AN_EPOCH = 10  # about so many a run makes to its files


@pytest.mark.xdist_group("alone")
@UNIX
@pytest.mark.parametrize(
    ("finetune", "epochs", "kills"),
    [
        ("last", 2, 1),
        *(pytest.param(finetune, 4, 4, marks=pytest.mark.slow) for finetune in ("last", "full")),
    ],
)
def test_a_killed_training_ends_as_if_nothing_was(
    finetune: str, epochs: int, kills: int, textile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    data = few(textile, tmp_path / "data")
    words = (data, "--finetune", finetune, "--epochs", str(epochs), "--patience", "0", "--ema", "0.9", *SMALL)
    finished(*words, "--out", tmp_path / "whole", cache=tmp_path / "undisturbed", process=True)

    run, cache = tmp_path / "run", same_engine(tmp_path / "cache", tmp_path / "undisturbed")
    moments = []
    for _ in range(kills):
        begun = (run / "config.toml").is_file()
        verb = ("train", "--resume", run) if begun else ("train", *words, "--out", run)
        moments.append(_killed(verb, run, cache, epochs * _CHANGES_AN_EPOCH))
    begun = (run / "config.toml").is_file()
    finished(*(("--resume", run) if begun else (*words, "--out", run)), cache=cache, process=True)
    assert learned(run) == learned(tmp_path / "whole"), moments


def _killed(words: tuple[str | Path, ...], run: Path, cache: Path, most: int) -> tuple[int, int | None]:
    """Start a command, kill it after 1 to ``most`` changes to its files; return their number and its end."""
    wanted = random.SystemRandom().randint(1, most)
    process = subprocess.Popen(
        command(*words),
        env=environment(EYEBRIGHT_CACHE=cache),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    changes, before = 0, _files(run)
    while changes < wanted and process.poll() is None:
        now = _files(run)
        changes, before = changes + (now != before), now
        time.sleep(0.001)  # leaves the core to the process
    process.kill()
    process.wait()
    return changes, process.returncode


def _files(run: Path) -> set[tuple[str, int]]:
    """Names, also of files that are being written, and when they changed."""
    found = set()
    for path in run.rglob("*"):
        try:
            found.add((path.name, path.stat().st_mtime_ns))
        except FileNotFoundError:  # renamed in between
            found.add((path.name, 0))
    return found
