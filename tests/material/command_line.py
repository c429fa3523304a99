"""The command line as a user runs it, and small folders of real photographs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import eyebright as package
from eyebright.cli.main import main
from eyebright.runs.overwrite import remove_earlier

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
    process: bool = False,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `eyebright WORDS` and return its exit status and what it wrote.

    Args:
        words: the arguments of the command.
        cwd: the folder to run in.
        cache: the value of EYEBRIGHT_CACHE.
        stdin: what the command reads.
        process: start an interpreter, as a user does, where imports, signals or limits are the point. Else
            the command runs in this one, which saves the seconds that its imports take.
        before: called in the new process, which it asks for.
    """
    variables = environment(**({"EYEBRIGHT_CACHE": cache} if cache else {}))
    if process or before:
        done = subprocess.run(
            command(*words),
            cwd=cwd,
            env=variables,
            input=stdin,
            capture_output=True,
            preexec_fn=before,
            check=False,
        )
        status, streams = done.returncode, [done.stdout, done.stderr]
    else:
        with _place(cwd, variables):
            status, *streams = _run_here([str(word) for word in words], stdin)
    out, err = (stream.decode("utf-8", "surrogateescape") for stream in streams)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(command(*words), status, out, err)


@contextmanager
def _place(cwd: Path | None, variables: dict[str, str]) -> Iterator[None]:
    """Work in another folder, with other environment variables."""
    folder, before = Path.cwd(), dict(os.environ)
    try:
        os.environ.update(variables)
        os.chdir(cwd or folder)
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def _run_here(words: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """Run a command in this process; its own processes write to the same streams.

    Returns:
        Exit status, standard output and standard error.
    """
    streams = sys.stdin, sys.stdout, sys.stderr
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in streams]
        files[0].write(stdin)
        files[0].seek(0)
        descriptors = [os.dup(number) for number in range(3)]
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        try:
            sys.stdin, sys.stdout, sys.stderr = (
                stack.enter_context(open(number, mode, encoding="utf-8", closefd=False))
                for number, mode in enumerate("rww")
            )
            status = main(words)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdin, sys.stdout, sys.stderr = streams
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
                os.close(descriptor)
        for file in files:
            file.seek(0)
        return status, files[1].read(), files[2].read()


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "eyebright", *map(str, words)]


def refused(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The one sentence that a command ended with, which must have failed."""
    assert done.returncode == status, done.stderr
    return done.stderr.rstrip("\n").splitlines()[-1]


def train(data: Path, out: Path, *words: str | Path, cache: Path | None = None) -> dict[str, Any]:
    """Train quickly, which must succeed, and return the content of metrics.json."""
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


def kept_when_replaced(run: Path) -> set[str]:
    """What stays in a run's directory, until it is written anew, when another run replaces it."""
    remove_earlier(run)
    return {path.name for path in run.iterdir()}


def cached_rows(cache: Path) -> int:
    """How many rows of features the cache holds, those of sealed models apart."""
    cards = {path.parent: json.loads(path.read_text()) for path in cache.glob("*/space.json")}
    spaces = [folder for folder, card in cards.items() if card.get("kind", "features") == "features"]
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
