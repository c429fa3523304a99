"""Damaged and hostile files at random: every command ends with one sentence, at once, and runs nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import eyebright

from eyebright.runs.run import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="named pipes and devices are Unix's"),
]

DEEP = b"[" * 100_000 + b"]" * 100_000
TEXTS = (b"", b"null", b"[]", b"{}", b"5", b'"x"', b"\0" * 100, DEEP, b'{"a":' * 50_000, b"\xff\xfe\xfa")


def damaged(data: bytes, chance: random.Random, flips: int) -> Iterator[bytes]:
    """Yield texts of other kinds, halves, and copies with some bytes changed."""
    yield from TEXTS
    yield chance.randbytes(3000)
    yield data[: len(data) // 2]
    yield b"\xef\xbb\xbf" + data
    for _ in range(flips):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 5, 50))):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        yield bytes(changed)


def ends_well(*words: str | Path) -> None:
    """Run a command, which may succeed, misread nothing, and must not raise."""
    done = eyebright(*words)
    assert done.returncode in (0, 1, 2), (words, done.stderr)
    assert done.returncode == 0 or done.stderr.strip() or done.stdout.strip()


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_models(seed: int, textile_run: Run, textile: Path, tmp_path: Path) -> None:
    image = min((textile / "val").rglob("*.jpg"))
    model = tmp_path / "model.onnx"
    for content in damaged(textile_run.model.read_bytes(), random.Random(seed), flips=25):
        model.write_bytes(content)
        ends_well("inspect", model)
        ends_well("predict", model, image)


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("metrics.json", "inspect"),
        ("metrics.json", "compare"),
        ("predictions.csv", "compare"),
        ("config.toml", "resume"),
    ],
)
def test_damaged_run_folders(name: str, verb: str, textile_run: Run, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(textile_run.directory, run)
    words: dict[str, tuple[str | Path, ...]] = {
        "inspect": ("inspect", run),
        "compare": ("compare", run, textile_run.directory, "--out", tmp_path / "compared"),
        "resume": ("train", "--resume", run, "--epochs", "0"),  # refused once the options are read
    }
    for content in damaged((textile_run.directory / name).read_bytes(), random.Random(3), flips=15):
        (run / name).write_bytes(content)
        ends_well(*words[verb])


@pytest.mark.parametrize("name", ["certificate.json", "provenance.json", "model.onnx"])
def test_damaged_exports(name: str, textile_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "onnx"
    done = eyebright("export", textile_run.directory, "--to", "onnx", "--out", tmp_path, "--max-images", "5")
    assert done.returncode == 0, done.stderr
    for content in damaged((folder / name).read_bytes(), random.Random(4), flips=15):
        (folder / name).write_bytes(content)
        ends_well("inspect", folder)
        ends_well("inspect", folder, "--json")


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "link to itself": lambda path: path.symlink_to(path),
    "3 GB of nothing": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 3_000_000_000),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["model.onnx", "metrics.json", "predictions.csv", "config.toml"])
def test_what_is_no_file(kind: str, name: str, textile_run: Run, textile: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(textile_run.directory, run)
    (run / name).unlink()
    KINDS[kind](run / name)
    ends_well("inspect", run)
    ends_well("predict", run, min((textile / "val").rglob("*.jpg")))
    ends_well("compare", run, textile_run.directory, "--out", tmp_path / "compared")
    ends_well("train", "--resume", run, "--epochs", "0")


def test_names_cannot_steer_the_terminal(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    image = tmp_path / "a\x1b[2J\u202eb\nOK.jpg"
    shutil.copyfile(min((textile / "val").rglob("*.jpg")), image)
    broken = tmp_path / "c\x1b[2J.jpg"
    broken.write_bytes(b"no image")
    for words in (["--format", "jsonl"], []):
        done = eyebright("predict", textile_run.directory, tmp_path, *words)
        assert done.returncode == 1
        assert not {"\x1b", "\u202e"} & {*done.stdout, *done.stderr}
    done = eyebright("predict", textile_run.directory, image, "--format", "jsonl")
    assert json.loads(done.stdout)["path"] == str(image)
