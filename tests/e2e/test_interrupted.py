"""A full disk, Ctrl-C and SIGKILL: what was computed is kept, and the next run ends as if nothing was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import (
    QUICK,
    cached_rows,
    command,
    environment,
    eyebright,
    outcome,
    photos,
    refused,
    same_engine,
    train,
)
from unix import UNIX

pytestmark = pytest.mark.xdist_group("alone")

FULL = "The disk must have free space and be writable."


@pytest.fixture(scope="module")
def data(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photos(digits, tmp_path_factory.mktemp("data") / "digits", 6)


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run and its cache."""
    place = tmp_path_factory.mktemp("undisturbed")
    train(data, place / "run", cache=place / "cache")
    return place / "run", place / "cache"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 kB: less than a model, more than the features of a few images."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by root on Linux only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@UNIX
@pytest.mark.parametrize(("limit_bytes", "at"), [(20_000, ".rows.npy"), (450_000, "model.onnx")])
def test_no_room_for_a_file(
    limit_bytes: int, at: str, data: Path, undisturbed: tuple[Path, Path], tmp_path: Path
) -> None:
    cache = same_engine(tmp_path / "cache", undisturbed[1])

    def limited() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    run = tmp_path / "run"
    done = eyebright("train", data, "--out", run, *QUICK, cache=cache, before=limited)
    sentence = refused(done)
    assert sentence.startswith(FULL)
    assert at in sentence
    assert "File too large" in sentence
    left = [p for p in tmp_path.rglob("*") if p.suffix in (".tmp", ".onnx") or p.name == "metrics.json"]
    assert left == []
    train(data, run, cache=cache)
    assert outcome(run) == outcome(undisturbed[0])


@pytest.mark.parametrize("place", ["out", "cache"])
def test_a_disk_that_is_full(
    place: str, digits: Path, data: Path, undisturbed: tuple[Path, Path], small_disk: Path, tmp_path: Path
) -> None:
    if place == "cache":
        data = photos(digits, tmp_path / "more", 30)  # 240 training images: 230 kB of features
        run, cache = tmp_path / "run", small_disk / "cache"
    else:
        run, cache = small_disk / "run", same_engine(tmp_path / "cache", undisturbed[1])
    sentence = refused(eyebright("train", data, "--out", run, *QUICK, cache=cache))
    assert sentence.startswith(FULL)
    assert "No space left on device" in sentence
    assert str(small_disk) in sentence
    assert not list(small_disk.rglob("*.tmp"))
    assert not list(tmp_path.rglob("metrics.json"))
    if place == "out":
        train(data, tmp_path / "elsewhere", cache=cache)
        assert outcome(tmp_path / "elsewhere") == outcome(undisturbed[0])


@UNIX
def test_a_run_that_fails_leaves_the_earlier_one_or_says_that_it_is_gone(
    data: Path, undisturbed: tuple[Path, Path], tmp_path: Path
) -> None:
    run, cache = tmp_path / "run", same_engine(tmp_path / "cache", undisturbed[1])
    train(data, run, cache=cache)
    before = outcome(run)

    def limited() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    words = ("train", data, "--out", run, "--overwrite", *QUICK, "--seed", "1")
    refused(eyebright(*words, cache=tmp_path / "other", before=limited))  # while computing features
    assert outcome(run) == before
    refused(eyebright(*words, cache=cache, before=limited))  # while writing the model
    assert not (run / "metrics.json").exists()  # which would tell of a model that may be gone


def test_a_damaged_cache_is_computed_again(
    data: Path, undisturbed: tuple[Path, Path], tmp_path: Path
) -> None:
    cache = same_engine(tmp_path / "cache", undisturbed[1])
    train(data, tmp_path / "a", cache=cache)
    segments = sorted(cache.glob("*/*.rows.npy"))
    for segment in segments:
        os.truncate(segment, segment.stat().st_size // 2)
    (segments[0].parent / ".half.rows.npy.0.tmp").write_bytes(b"half")
    (segments[0].parent / "orphan.rows.npy").write_bytes(b"no keys")
    train(data, tmp_path / "b", cache=cache)
    assert outcome(tmp_path / "b") == outcome(undisturbed[0])


def hears_ctrl_c() -> None:
    """A shell has its background jobs ignore SIGINT, and whatever they start inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@UNIX
@pytest.mark.parametrize(
    "kill",
    [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)],
    ids=lambda s: s.name,
)
def test_the_next_run_goes_on(kill: signal.Signals, digits: Path, tmp_path: Path) -> None:
    data = photos(digits, tmp_path / "data", 50)
    words = ("--views", "8")
    whole = tmp_path / "whole"
    train(data, tmp_path / "undisturbed", *words, cache=whole)
    cache = same_engine(tmp_path / "cache", whole)
    process = subprocess.Popen(
        command("train", data, "--out", tmp_path / "run", *QUICK, *words),
        env=environment(EYEBRIGHT_CACHE=cache),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=hears_ctrl_c,
    )
    while not cached_rows(cache) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(kill)
    _, said = process.communicate()
    if kill is signal.SIGINT:
        assert process.returncode == 130, said.decode()
        assert said.decode().splitlines()[-1] == (
            "Stopped. Finished work is kept: run the same command again to reuse it from the cache."
        )
    else:
        assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "metrics.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in cache.glob("*/*.keys.npy")}
    assert 0 < cached_rows(cache) < cached_rows(whole)

    train(data, tmp_path / "run", *words, cache=cache)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert cached_rows(cache) == cached_rows(whole)  # nothing was computed twice
    assert outcome(tmp_path / "run") == outcome(tmp_path / "undisturbed")
