"""`eyebright doctor` on the machine that runs the test."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import onnxruntime
import pytest

from eyebright.runtime import machine
from eyebright.runtime.install import install_command
from eyebright.verbs.doctor.doctor import EXTRAS, doctor
from eyebright.verbs.doctor.options import DoctorConfig

PROJECT = Path(__file__).parents[4] / "pyproject.toml"


def _printed(*words: str) -> str:
    command = [sys.executable, "-m", "eyebright", "doctor", *words]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def test_json_holds_the_facts():
    facts = json.loads(_printed("--json"))
    assert facts["onnxruntime"]["value"]["version"] == onnxruntime.__version__
    assert "CPU" in facts["onnxruntime"]["value"]["devices"]
    assert facts["cores"]["value"] >= 1
    assert facts["disk"]["value"]["free_bytes"] > 0


def test_text_marks_each_line():
    lines = _printed().split("\n\n")[0].splitlines()
    assert all(line.split()[0] in ("ok", "missing", "-") for line in lines)
    assert any("ONNX Runtime" in line and onnxruntime.__version__ in line for line in lines)
    assert "处理器" in _printed("--lang", "zh")


def test_the_cache_folder_is_the_one_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(tmp_path / "not" / "there"))
    disk = next(fact for fact in doctor(DoctorConfig()) if fact.key == "disk")
    assert str(tmp_path) in disk.text


def test_a_missing_extra_comes_with_its_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(EXTRAS, "demo", ("a_module_that_nobody_has",))
    fact = next(fact for fact in doctor(DoctorConfig()) if fact.key == "extra_demo")
    assert (fact.state, fact.command) == ("missing", install_command("demo"))


def test_extras_are_those_of_the_project():
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(extras) - {"test", "build", "dev", "docs", "dist"}


def test_it_says_where_it_is_and_what_is_fastest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    monkeypatch.setenv("EYEBRIGHT_DRIVE", str(tmp_path))
    monkeypatch.setattr(machine, "gpus", lambda: ())
    monkeypatch.setattr(machine, "has_tpu", lambda: True)
    facts = {fact.key: fact for fact in doctor(DoctorConfig())}
    assert facts["place"].value == {"kind": "colab", "evidence": "$COLAB_RELEASE_TAG"}
    assert facts["drive"].value == str(tmp_path)
    assert facts["fastest"].value == "cpu"
    assert "beside the TPU" in facts["fastest"].text


def test_a_gpu_is_fastest_once_pytorch_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "gpus", lambda: ("NVIDIA T4",))
    fastest = next(fact for fact in doctor(DoctorConfig()) if fact.key == "fastest")
    assert fastest.value == "gpu"
    assert (fastest.state == "ok") == (find_spec("torch") is not None)
