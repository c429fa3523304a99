"""Where this runs, by what each place shows of itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eyebright.verbs.doctor.surroundings import Surroundings, drive_root, surroundings


def test_hosted_notebooks_name_themselves(tmp_path: Path):
    assert surroundings({"COLAB_RELEASE_TAG": "x"}, tmp_path) == Surroundings("colab", "$COLAB_RELEASE_TAG")
    assert surroundings({"KAGGLE_KERNEL_RUN_TYPE": "x"}, tmp_path).kind == "kaggle"
    (tmp_path / "kaggle" / "working").mkdir(parents=True)
    assert surroundings({}, tmp_path) == Surroundings("kaggle", "/kaggle/working")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's files")
@pytest.mark.parametrize(
    ("file", "text", "kind"),
    [
        ("sys/class/power_supply/BAT0/type", "Battery", "laptop"),
        ("sys/class/dmi/id/chassis_type", "10\n", "laptop"),
        ("sys/class/dmi/id/chassis_type", "23\n", "server"),
        ("sys/class/dmi/id/chassis_type", "3\n", "computer"),
        (".dockerenv", "", "server"),
        ("proc/cpuinfo", "flags\t\t: fpu hypervisor sse\n", "server"),
        ("proc/cpuinfo", "flags\t\t: fpu sse\n", "computer"),
    ],
)
def test_a_machine_is_told_by_its_parts(file: str, text: str, kind: str, tmp_path: Path):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert surroundings({}, tmp_path).kind == kind


def test_drive_is_a_folder_that_is_there(tmp_path: Path):
    assert drive_root({"EYEBRIGHT_DRIVE": str(tmp_path)}) == tmp_path
    assert drive_root({"EYEBRIGHT_DRIVE": str(tmp_path / "gone")}) is None
