"""Versions on Drive: whatever fails, and whenever the machine goes, a whole state comes back."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from flaky_drive import FlakyDrive

from eyebright.colab import mirror as module
from eyebright.colab.drive_folder import DriveFolder, DriveGoneError
from eyebright.colab.mirror import Mirror, stored_name
from eyebright.errors import StorageError


def write(folder: Path, **files: str) -> None:
    """Write files as Eyebright does: each takes its place whole."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f".{path.name}.tmp").write_text(text)
        path.with_name(f".{path.name}.tmp").replace(path)


def content(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def drive(tmp_path: Path) -> DriveFolder:
    return DriveFolder(tmp_path / "drive" / "eyebright")


def test_what_was_saved_is_restored(drive: DriveFolder, tmp_path: Path):
    run = tmp_path / "a" / "run"
    write(run, config="x = 1", checkpoints__one="weights")
    assert Mirror(drive, "run", run).save()
    restored = Mirror(drive, "run", tmp_path / "b" / "run").restore()
    assert (restored.files, restored.damaged) == (2, 0)
    assert content(tmp_path / "b" / "run") == {"config": "x = 1", "checkpoints/one": "weights"}
    assert Mirror(drive, "run", run).restore() is None  # there is something already


def test_only_what_changed_is_copied_and_old_versions_go(drive: DriveFolder, tmp_path: Path):
    run, saved = tmp_path / "run", Mirror(drive, "run", tmp_path / "run")
    write(run, large="the same")
    for number in range(6):
        write(run, checkpoint=f"state {number}")
        assert saved.save()
    names = os.listdir(drive.folder / "run")
    assert len([name for name in names if name.startswith("large")]) == 1
    assert len([name for name in names if name.startswith("checkpoint")]) == 3
    assert len([name for name in names if name.startswith("index")]) == 3


def test_unchanged_files_write_nothing(drive: DriveFolder, tmp_path: Path):
    write(tmp_path / "run", config="x = 1")
    saved = Mirror(drive, "run", tmp_path / "run")
    saved.save()
    before = os.listdir(drive.folder / "run")
    saved.save()
    assert os.listdir(drive.folder / "run") == before


@pytest.mark.parametrize("damage", ["cut", "other", "gone"])
def test_a_damaged_file_leads_to_the_version_before(damage: str, drive: DriveFolder, tmp_path: Path):
    saved = Mirror(drive, "run", tmp_path / "run")
    for state in ("early", "later"):
        write(tmp_path / "run", checkpoint=state)
        saved.save()
    later = next(p for p in (drive.folder / "run").glob("checkpoint-*") if p.read_text() == "later")
    if damage == "gone":
        later.unlink()
    else:
        later.write_text("lat" if damage == "cut" else "LATER")
    restored = Mirror(drive, "run", tmp_path / "new").restore()
    assert restored.damaged == 1
    assert content(tmp_path / "new") == {"checkpoint": "early"}


def test_a_damaged_index_is_passed_over_and_one_that_leads_out_is_refused(drive: DriveFolder, tmp_path: Path):
    write(tmp_path / "run", config="x = 1")
    Mirror(drive, "run", tmp_path / "run").save()
    (index,) = (drive.folder / "run").glob("index-*")
    (drive.folder / "run" / "index-00000002-00000000.json").write_text(index.read_text()[:-20])
    outside = {"files": {"../config": {"stored": "s", "sha256": "", "bytes": 1}}, "written": ""}
    (drive.folder / "run" / "index-00000003-00000000.json").write_text(json.dumps(module._signed(outside)))
    assert Mirror(drive, "run", tmp_path / "new").restore().damaged == 2


def test_twenty_kills_on_a_flaky_drive_lose_no_version_that_was_saved(tmp_path: Path):
    """Each machine saves states until it is killed at some step of Drive's; the next begins from Drive."""

    class KilledError(BaseException):
        pass

    draw, last_saved, state = random.Random(7), -1, 0
    for kill in range(20):
        left = draw.randint(1, 60)

        def step() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise KilledError

        machine = tmp_path / f"machine-{kill}"
        plain = Mirror(DriveFolder(tmp_path / "drive"), "run", machine / "run")
        restored = plain.restore()
        assert (restored is None) == (last_saved < 0)
        if restored is not None:
            found = int((machine / "run" / "state").read_text())
            # Whole, and none that is older than what was saved; a version may arrive although its copy ended.
            assert found >= last_saved
            assert (machine / "run" / "weights").read_text() == f"{found} " * 1000
            state = found + 1
        try:
            saved = Mirror(FlakyDrive(tmp_path / "drive", kill, before=step), "run", machine / "run")
            while True:
                write(machine / "run", state=str(state), weights=f"{state} " * 1000)
                try:
                    if saved.save():
                        last_saved = state
                except OSError:
                    continue  # the thread would try again
                state += 1
        except KilledError:
            shutil.rmtree(machine)
    assert last_saved > 0


def test_drive_that_went_away_gets_no_files(drive: DriveFolder, tmp_path: Path):
    write(tmp_path / "run", config="x = 1")
    shutil.rmtree(drive.folder)
    with pytest.raises(DriveGoneError):
        Mirror(drive, "run", tmp_path / "run").save()
    assert not drive.folder.exists()


def test_too_many_files_are_refused(drive: DriveFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_FILES", 2)
    write(tmp_path / "run", a="", b="", c="")
    with pytest.raises(StorageError, match="up to 2 files"):
        Mirror(drive, "run", tmp_path / "run").save()


def test_names_on_drive_tell_what_a_file_is():
    name = stored_name("checkpoints/10.safetensors", "ab" * 32)
    assert name == "checkpoints.10-abababababababab.safetensors"
    assert stored_name("README", "ab" * 32) == "README-abababababababab"
