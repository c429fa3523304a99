"""Machines that vanish while they train, and a Drive that fails: the last one ends as if nothing had been.

With `-s` it prints how much work each kill cost.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from unix import UNIX

pytest.importorskip("torch")
pytest.importorskip("timm")

import flaky_drive
from command_line import environment, same_engine
from finetuning import few, learned

from eyebright.colab.drive_folder import DriveFolder
from eyebright.colab.mirror import Mirror

KILLS = 6
EPOCHS = 120
_MOST_CHANGES = 30  # to the files on Drive, after which a machine has vanished: two or three versions


@pytest.mark.slow
@pytest.mark.xdist_group("alone")
@pytest.mark.timeout(3600)
@UNIX
def test_machines_that_vanish_cost_seconds_and_no_weight(
    textile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = os.pathsep.join([environment()["PYTHONPATH"], str(Path(flaky_drive.__file__).parent)])
    monkeypatch.setenv("PYTHONPATH", material)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("EYEBRIGHT_CACHE")  # each machine has its own
    data = few(textile, tmp_path / "data")
    whole = tmp_path / "undisturbed"
    _ended(_started(whole, tmp_path / "other-drive", data, 0))

    drive, lost, steps = tmp_path / "drive", [], []
    for kill in range(KILLS):
        machine = tmp_path / f"machine-{kill}"
        same_engine(machine / "cache", whole / "cache")
        process, begun = _started(machine, drive, data, kill), time.time()
        _wait_for_changes(process, drive / "runs.killed", random.SystemRandom().randint(1, _MOST_CHANGES))
        process.kill()
        process.join()
        killed = time.time()
        shutil.rmtree(machine)
        restored = tmp_path / f"restored-{kill}" / "killed"
        found = Mirror(DriveFolder(drive), "runs.killed", restored).restore()
        written = begun if found is None else datetime.fromisoformat(found.written).timestamp()
        lost.append(killed - max(written, begun))
        steps.append(_step(restored))
    print(f"seconds of work lost: {sorted(round(value, 1) for value in lost)}; steps on Drive: {steps}")
    assert steps == sorted(steps)
    between = {step for step in steps if 0 < step < _step(whole / "runs" / "killed")}
    assert len(between) >= 2, "kills must come in the middle of the training"

    last = tmp_path / "last"
    same_engine(last / "cache", whole / "cache")
    _ended(_started(last, drive, data, KILLS))
    assert learned(last / "runs" / "killed") == learned(whole / "runs" / "killed")
    assert max(len(os.listdir(folder)) for folder in drive.iterdir() if folder.is_dir()) < 10_000


def _started(machine: Path, drive: Path, data: Path, seed: int) -> ForkServerProcess:
    """Train on a new machine: a fork of a process that has imported what takes longer than the training."""
    machines = get_context("forkserver")
    machines.set_forkserver_preload(["flaky_drive", "torch", "timm"])
    process = machines.Process(target=flaky_drive.fine_tune, args=(machine, drive, data, seed, EPOCHS))
    process.start()
    return process


def _ended(process: ForkServerProcess) -> None:
    process.join()
    assert process.exitcode == 0


def _step(run: Path) -> int:
    """Return the last step that a run's checkpoints hold."""
    found = [
        int(path.stem.removeprefix("step-")) for path in (run / "checkpoints").glob("step-*.safetensors")
    ]
    return max(found, default=0)


def _wait_for_changes(process: ForkServerProcess, folder: Path, wanted: int) -> None:
    """Wait until a folder's files have changed so often, or the process has ended."""
    changes, before = 0, set(_files(folder))
    while changes < wanted and process.is_alive():
        now = set(_files(folder))
        changes, before = changes + (now != before), now
        time.sleep(0.01)  # leaves the core to the process


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    for path in folder.glob("*"):
        try:
            yield path.name, path.stat().st_mtime_ns
        except FileNotFoundError:  # replaced in between
            yield path.name, 0
