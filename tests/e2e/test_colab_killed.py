"""Machines that vanish while they train, and a Drive that fails: the last one ends as if nothing had been.

With `-s` it prints how much work each kill cost.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from datetime import datetime
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

KILLS = 20
_LONGEST_SECONDS = 600.0


@pytest.mark.slow
@pytest.mark.xdist_group("alone")
@pytest.mark.timeout(7200)
@UNIX
def test_twenty_machines_that_vanish_cost_minutes_and_no_weight(textile: Path, tmp_path: Path) -> None:
    data = few(textile, tmp_path / "data")
    whole = tmp_path / "undisturbed"
    process = _started(
        whole, tmp_path / "other-drive", data, 0, environment(EYEBRIGHT_CACHE=tmp_path / "cache")
    )
    assert process.wait() == 0

    drive, lost, damaged = tmp_path / "drive", [], 0
    for kill in range(KILLS):
        machine = tmp_path / f"machine-{kill}"
        cache = same_engine(machine / "cache", tmp_path / "cache")
        process = _started(machine, drive, data, kill, environment(EYEBRIGHT_CACHE=cache))
        begun = time.time()
        _wait_for_changes(process, machine / "runs" / "killed", random.SystemRandom().randint(1, 25))
        process.kill()
        process.wait()
        killed = time.time()
        shutil.rmtree(machine)
        found = Mirror(DriveFolder(drive), "runs.killed", tmp_path / f"restored-{kill}" / "killed").restore()
        written = begun if found is None else datetime.fromisoformat(found.written).timestamp()
        lost.append(killed - max(written, begun))
        damaged += 0 if found is None else found.damaged
    print(
        f"seconds of work lost: {sorted(round(value, 1) for value in lost)}; later copies damaged: {damaged}"
    )

    last = tmp_path / "last"
    cache = same_engine(last / "cache", tmp_path / "cache")
    process = _started(last, drive, data, KILLS, environment(EYEBRIGHT_CACHE=cache))
    assert process.wait() == 0
    assert learned(last / "runs" / "killed") == learned(whole / "runs" / "killed")
    assert max(len(os.listdir(folder)) for folder in drive.iterdir() if folder.is_dir()) < 10_000


def _started(
    machine: Path, drive: Path, data: Path, seed: int, variables: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Train on a new machine whose Drive is flaky."""
    material = os.pathsep.join([variables["PYTHONPATH"], str(Path(flaky_drive.__file__).parent)])
    return subprocess.Popen(
        [sys.executable, flaky_drive.__file__, str(machine), str(drive), str(data), str(seed)],
        env={**variables, "PYTHONPATH": material, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait_for_changes(process: subprocess.Popen[bytes], run: Path, wanted: int) -> None:
    """Wait until a run's files have changed so often, or the process has ended."""
    changes, before, began = 0, _files(run), time.monotonic()
    while changes < wanted and process.poll() is None and time.monotonic() - began < _LONGEST_SECONDS:
        now = _files(run)
        changes, before = changes + (now != before), now
        time.sleep(0.01)  # leaves the core to the process


def _files(run: Path) -> set[tuple[str, int]]:
    found = set()
    for path in run.rglob("*"):
        try:
            found.add((path.name, path.stat().st_mtime_ns))
        except FileNotFoundError:  # replaced in between
            found.add((path.name, 0))
    return found
