"""Damaged and hostile files at random: every command ends with one sentence, at once, and runs nothing."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
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
        ("manifest.parquet", "evaluate"),
        ("manifest.parquet", "export"),
        ("config.toml", "resume"),
    ],
)
def test_damaged_run_folders(name: str, verb: str, textile_run: Run, textile: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(textile_run.directory, run)
    words: dict[str, tuple[str | Path, ...]] = {
        "inspect": ("inspect", run),
        "compare": ("compare", run, textile_run.directory, "--out", tmp_path / "compared"),
        "evaluate": ("evaluate", run, textile, "--out", tmp_path / "evaluated", "--overwrite"),
        "export": ("export", run, "--to", "onnx", "--max-images", "5"),
        "resume": ("train", "--resume", run, "--epochs", "0"),  # refused once the options are read
    }
    for content in damaged((textile_run.directory / name).read_bytes(), random.Random(3), flips=15):
        (run / name).write_bytes(content)
        ends_well(*words[verb])


def test_damaged_options_and_tables(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    run, chance = textile_run.directory, random.Random(5)
    file = tmp_path / "options.toml"
    for content in damaged((run / "config.toml").read_bytes(), chance, flips=15):
        file.write_bytes(content)
        ends_well("train", "--config", file, "--epochs", "0")  # refused once the options are read
    images = sorted((textile / "val").rglob("*.jpg"))
    rows = "".join(f"{image},{image.parent.name}\n" for image in images)
    file = tmp_path / "labels.csv"
    for content in damaged(f"path,label\n{rows}".encode(), chance, flips=10):
        file.write_bytes(content)
        ends_well("evaluate", run, tmp_path, "--split", "auto", "--out", tmp_path / "out", "--overwrite")
        ends_well("evaluate", run, textile, "--columns", file, "--out", tmp_path / "out", "--overwrite")
        ends_well("evaluate", run, textile, "--cost", file, "--out", tmp_path / "out", "--overwrite")


def test_damaged_caches(textile: Path, tmp_path: Path) -> None:
    cache, out = tmp_path / "cache", tmp_path / "run"
    words = ("train", textile, "--size", "96", "--out", out, "--overwrite")
    assert eyebright(*words, cache=cache).returncode == 0
    predictions = (out / "predictions.csv").read_bytes()
    for share in (0, 0.5, None):
        # The race between engines aside, which may end differently.
        for file in (path for path in cache.rglob("*") if path.is_file() and path.parent.name != "engines"):
            content = file.read_bytes()
            file.write_bytes(DEEP if share is None else content[: int(share * len(content))])
        assert eyebright("cache", cache=cache).returncode == 0
        done = eyebright(*words, cache=cache)
        assert done.returncode == 0, done.stderr
        assert "is damaged or of an older version" in done.stderr
        assert (out / "predictions.csv").read_bytes() == predictions


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


WEAPONS = (
    "<img src=x onerror=attack()>",
    "</script><script>attack()</script>",
    "' onmouseover='attack()",
    "=cmd|' calc'!A0",
    "{name}{0.__class__}%s%n",
    "${7*7}{{title}}",
    "]]><!--",
)


class Tags(HTMLParser):
    """Elements of a page that a name may have made."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("src") == "x" or "onerror" in named or "onmouseover" in named:
            self.found.append(tag)

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script" and data.lstrip().startswith("attack()"):
            self.found.append("script")


def test_names_run_nothing_on_any_page(textile: Path, tmp_path: Path) -> None:
    """Class, file and folder names that are markup stay text in every page, card and table."""
    data, run = tmp_path / "data", tmp_path / WEAPONS[0]
    images = sorted((textile / "train").rglob("*.jpg"))
    for number, weapon in enumerate(WEAPONS):
        folder = data / weapon.replace("/", "\u2044")
        folder.mkdir(parents=True)
        for place, image in enumerate(images[number * 8 : number * 8 + 8]):
            shutil.copyfile(image, folder / f"{weapon.replace('/', '-')}{place}.jpg")
    for words in (
        ("train", data, "--size", "96", "--layers", "texture", "--out", run),
        ("evaluate", run, data, "--split", "auto", "--out", tmp_path / "evaluation"),
        ("explain", run, data, "--out", tmp_path / "explanations"),
        ("train", data, "--size", "64", "--layers", "texture", "--out", tmp_path / "other"),
        ("compare", run, tmp_path / "other", "--out", tmp_path / "comparison"),
        ("audit", data, "--out", tmp_path / "audit"),
        ("export", run, "--to", "html", "triton", "--max-images", "5", "--out", tmp_path / "exports"),
    ):
        done = eyebright(*words)
        assert done.returncode == 0, done.stderr
    pages = [path for path in tmp_path.rglob("*.html") if data not in path.parents]
    assert {path.name for path in pages} >= {"report.html", "audit.html", "index.html"}
    assert [(path.name, Tags(path.read_text(encoding="utf-8")).found) for path in pages] == [
        (path.name, []) for path in pages
    ]
    for path in (run / "predictions.csv", tmp_path / "evaluation" / "predictions.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            assert len({len(row) for row in csv.reader(file)}) == 1
