"""Kills at random moments, neighbours, images that change under a run: nothing is lost, and nothing lies."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest
from command_line import (
    QUICK,
    command,
    environment,
    eyebright,
    outcome,
    photos,
    same_engine,
    train,
)
from unix import UNIX

from eyebright.runs.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]

MOMENTS = 3  # at which each command is killed


@pytest.fixture(scope="module")
def data(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photos(digits, tmp_path_factory.mktemp("data") / "digits", 10)


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run and its cache."""
    place = tmp_path_factory.mktemp("undisturbed")
    train(data, place / "run", cache=place / "cache")
    return place / "run", place / "cache"


def begun(*words: str | Path, cache: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*words),
        env=environment(EYEBRIGHT_CACHE=cache),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def ended(process: subprocess.Popen[bytes]) -> int:
    said = process.communicate()[1].decode()
    assert "Traceback" not in said, said
    return process.returncode


def files(folder: Path) -> set[Path]:
    """All but temporary ones, which are swept once they are old."""
    found = {path.relative_to(folder) for path in folder.rglob("*")}
    return {path for path in found if not any(part.startswith(".") for part in path.parts)}


def assert_whole(folder: Path) -> None:
    """Files under their final names are complete, whatever happened to who wrote them."""
    for path in (folder / name for name in files(folder)):
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), path
        elif path.suffix == ".onnx":
            onnx.checker.check_model(path)


@UNIX
@pytest.mark.parametrize("verb", ["train", "evaluate", "export"])
def test_killed_at_any_moment(verb: str, data: Path, undisturbed: tuple[Path, Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(undisturbed[0], tmp_path / "model"))
    out, chance = tmp_path / "out", random.Random(verb)
    words: dict[str, tuple[str | Path, ...]] = {
        "train": ("train", data, *QUICK, "--out", out),
        "evaluate": ("evaluate", run, data, "--split", "auto", "--out", out),
        "export": ("export", run, "--to", "onnx", "html", "--max-images", "5", "--out", out),
    }
    start = time.monotonic()
    assert ended(begun(*words[verb], cache=same_engine(tmp_path / "first", undisturbed[1]))) == 0
    seconds = time.monotonic() - start
    expected = files(out)
    for moment in range(MOMENTS):
        shutil.rmtree(out)
        cache = same_engine(tmp_path / str(moment), undisturbed[1])
        process = begun(*words[verb], cache=cache)
        time.sleep(chance.uniform(0.3, 1) * seconds)
        process.send_signal(signal.SIGKILL)
        ended(process)
        assert_whole(out)
        assert_whole(cache)
        if (out / "metrics.json").exists():  # written last
            assert files(out) == expected
        done = eyebright(*words[verb], *(() if verb == "export" else ("--overwrite",)), cache=cache)
        assert done.returncode == 0, done.stderr
        assert files(out) == expected
        assert verb != "train" or outcome(out) == outcome(undisturbed[0])


def test_two_trainings_write_one_run(data: Path, undisturbed: tuple[Path, Path], tmp_path: Path) -> None:
    cache = same_engine(tmp_path / "cache", undisturbed[1])
    words = ("train", data, *QUICK, "--overwrite", "--out", tmp_path / "run")
    both = [begun(*words, cache=cache) for _ in range(2)]
    assert [ended(process) for process in both] == [0, 0]
    assert outcome(tmp_path / "run") == outcome(undisturbed[0])


@UNIX
@pytest.mark.parametrize("how", ["removed", "garbage", "cut", "exchanged"])
def test_images_that_change_while_they_are_read(
    how: str, data: Path, undisturbed: tuple[Path, Path], tmp_path: Path
) -> None:
    changing = Path(shutil.copytree(data, tmp_path / "changing"))
    files = sorted(changing.rglob("*.png"))
    cache = same_engine(tmp_path / "cache", undisturbed[1])
    process = begun("train", changing, *QUICK, "--out", tmp_path / "run", cache=cache)
    assert process.stderr is not None
    while b"Found" not in process.stderr.readline():  # they are listed now, and not all are read
        assert process.poll() is None
    for number, file in enumerate(files[::2]):
        match how:
            case "removed":
                file.unlink()
            case "garbage":
                file.write_bytes(random.Random(number).randbytes(400))
            case "cut":
                os.truncate(file, 60)
            case "exchanged":
                file.write_bytes(data.joinpath("9", min(os.listdir(data / "9"))).read_bytes())
    assert ended(process) in (0, 1)
    shutil.rmtree(changing)
    shutil.copytree(data, changing)
    train(changing, tmp_path / "run", "--overwrite", cache=cache)  # by what is kept of the changed ones
    assert outcome(tmp_path / "run")[1:] == outcome(undisturbed[0])[1:]


def test_nothing_asks_the_network(data: Path, undisturbed: tuple[Path, Path], tmp_path: Path) -> None:
    program = """
import sys
asking = "socket.connect", "socket.getaddrinfo"
sys.addaudithook(lambda event, seen: event in asking and print(event, seen))
from eyebright.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
    run = undisturbed[0]
    for words in (
        ("train", data, *QUICK, "--out", tmp_path / "run"),
        ("predict", run, data / "3", "--format", "jsonl"),
        ("evaluate", run, data, "--split", "auto", "--out", tmp_path / "evaluation"),
        (
            "export",
            run,
            "--to",
            "onnx",
            "openvino",
            "html",
            "--max-images",
            "5",
            "--out",
            tmp_path / "exports",
        ),
        ("doctor",),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, words)],
            env=environment(EYEBRIGHT_CACHE=tmp_path / "cache"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        assert "socket." not in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read as Linux counts it")
def test_memory_does_not_grow_with_the_images(textile: Path, textile_run: Run, tmp_path: Path) -> None:
    program = """
import resource, sys
from eyebright.cli.main import main
main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
    image = min((textile / "val").rglob("*.jpg"))
    peaks = []
    for count in (50, 1000):
        folder = tmp_path / str(count)
        folder.mkdir()
        first = shutil.copyfile(image, folder / "0.jpg")
        for number in range(1, count):
            os.link(first, folder / f"{number}.jpg")
        done = subprocess.run(
            [sys.executable, "-c", program, "predict", textile_run.directory, folder, "--format", "csv"],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.count("\n") == count + 1
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < peaks[0] + 100_000  # kB
