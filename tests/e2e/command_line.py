"""The command line in a process of its own, as a user starts it, and small folders of real photographs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import eyebright as package

QUICK = ("--size", "96", "--layers", "texture")
RUN_FILES = {
    "config.toml",
    "manifest.parquet",
    "metrics.json",
    "model.onnx",
    "model_card.md",
    "predictions.csv",
    "report.html",
}
SOURCE = Path(package.__file__).parents[1]


def environment(**changes: str | Path) -> dict[str, str]:
    """This process's, with the package under test in front, wherever the command is run."""
    path = os.pathsep.join(p for p in (str(SOURCE), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", **{k: str(v) for k, v in changes.items()}}


def eyebright(
    *words: str | Path,
    cwd: Path | None = None,
    cache: Path | None = None,
    stdin: bytes = b"",
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `eyebright WORDS`; ``before`` is called in the new process."""
    done = subprocess.run(
        command(*words),
        cwd=cwd,
        env=environment(**({"EYEBRIGHT_CACHE": cache} if cache else {})),
        input=stdin,
        capture_output=True,
        preexec_fn=before,
        check=False,
    )
    out, err = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "eyebright", *map(str, words)]


def refused(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The one sentence that a command ended with, which must have failed."""
    assert done.returncode == status, done.stderr
    return done.stderr.rstrip("\n").splitlines()[-1]


def train(data: Path, out: Path, *words: str | Path, cache: Path | None = None) -> dict[str, Any]:
    """Trains quickly, which must succeed, and gives the content of metrics.json."""
    done = eyebright("train", data, "--out", out, *QUICK, *words, cache=cache)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir()} == RUN_FILES
    return metrics(out)


def metrics(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return content


def outcome(run: Path) -> tuple[dict[str, Any], bytes, str]:
    """All of a run that does not depend on when and how quickly it was done."""
    figures = {k: v for k, v in metrics(run).items() if k != "seconds"}
    return figures, (run / "model.onnx").read_bytes(), (run / "predictions.csv").read_text(encoding="utf-8")


def cached_rows(cache: Path) -> int:
    """How many rows of features the cache holds, those of sealed models apart."""
    spaces = [p.parent for p in cache.glob("*/space.json") if json.loads(p.read_text())["view"] != "sealed"]
    return sum(len(np.load(path)) for space in spaces for path in space.glob("*.keys.npy"))


def same_engine(cache: Path, other: Path) -> Path:
    """A new cache that knows ``other``'s race already: two races on a busy machine may end differently."""
    shutil.copytree(other / "engines", cache / "engines")
    return cache


def photos(source: Path, target: Path, each: int, first: int = 0) -> Path:
    """``each`` images of every class folder of ``source``, copied."""
    for folder in sorted(p for p in source.iterdir() if p.is_dir()):
        (target / folder.name).mkdir(parents=True, exist_ok=True)
        for file in sorted(folder.iterdir())[first : first + each]:
            shutil.copyfile(file, target / folder.name / file.name)
    return target
