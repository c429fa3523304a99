"""The command line as a user meets it: help, errors and exit statuses, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eyebright
from eyebright.cli.main import main


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "eyebright", *words],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "80", **environment},
        check=False,
    )


def test_alone_it_prints_help():
    done = run()
    assert done.returncode == 0
    assert done.stdout == run("--help").stdout
    assert re.search(r"predict +Run a model on images\.", done.stdout)


def test_version():
    assert run("--version").stdout == f"eyebright {eyebright.__version__}\n"


@pytest.mark.parametrize(
    "verb", ["train", "tune", "evaluate", "predict", "models", "cache", "doctor", "demo"]
)
def test_every_verb_has_help_in_both_languages(verb: str):
    english, chinese = run(verb, "--help"), run(verb, "-h", "--lang", "zh")
    assert (english.returncode, chinese.returncode) == (0, 0)
    assert english.stdout.startswith(f"Usage: eyebright {verb}")
    assert "--lang {en,zh}" in english.stdout
    assert english.stdout.isascii() or "…" in english.stdout
    assert "选项" in chinese.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian", "photos"], "There is no command trian; the closest are: train"),
        (["--versoin"], "Unknown option --versoin. The closest are: --version."),
        (["train", "photos", "--sead", "3"], "Unknown option --sead. The closest are: --seed"),
        (["train", "photos", "--sead=3"], "Unknown option --sead. The closest are: --seed"),
        (["train", "photos", "--seed"], "--seed needs a value."),
        (["train", "photos", "--view", "2"], "Unknown option --view. The closest are: --views"),
        (["train", "a", "b"], "b does not."),
        (["train"], "Data or a run to resume must be given."),
        (["train", "photos", "--size", "big"], "size must be a whole number or auto; got 'big'."),
        (["predict", "m.onnx", "a.jpg", "--format", "cvs"], "format must be table, csv or jsonl; got 'cvs'."),
        (["predict", "m.onnx"], "images must be given."),
        (["cache", "--trim", "2 parsecs"], "such as 500MB or 2GB. Got '2 parsecs'."),
        (["cache", "--clear=yes"], "--clear is a flag and takes no value."),
        (["train", "photos", "--lang", "fr"], "The language must be one of en, zh. Got 'fr'."),
    ],
)
def test_misuse_is_told_in_one_sentence_block(words: list[str], said: str):
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_all_wrong_values_are_told_at_once():
    told = run("train", "--views", "99", "--seed", "-1", "--size", "big").stderr
    assert all(
        name in told for name in ("Data or a run to resume must", "views must", "seed must", "size must")
    )


def test_errors_come_in_chinese():
    done = run("--lang", "zh", "train", "photos", "--views", "99")
    assert done.returncode == 2
    assert "views 应为：不大于 16 的数" in done.stderr


def test_a_missing_configuration_file(tmp_path: Path):
    done = run("train", "--config", str(tmp_path / "none.toml"))
    assert done.returncode == 1
    assert "The configuration file must exist." in done.stderr


def test_the_configuration_file_may_give_what_the_command_line_does_not(tmp_path: Path):
    file = tmp_path / "options.toml"
    file.write_text('data = "photos"\nviews = 99\nsed = 3\n')
    told = run("train", "--config", str(file)).stderr
    assert "views must be at most 16 or auto; got 99." in told
    assert "Unknown option sed. The closest are: seed" in told
    assert "must be given" not in told


def test_a_name_with_nul_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    file = tmp_path / "options.toml"
    file.write_text('data = "photos"\nout = "a\\u0000b"\n')
    assert main(["train", "--config", str(file)]) == 2
    assert "must not contain the character NUL" in capfd.readouterr().err


def test_output_is_utf8_whatever_the_system_says():
    done = run("--help", "--lang", "zh", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0
    assert "用法" in done.stdout


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no room"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
        ImportError("libarrow.so: failed to map segment from shared object"),
    ],
    ids=str,
)
def test_memory_that_runs_out_is_told(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    def refuse(*_given: object) -> int:
        raise error

    monkeypatch.setattr("eyebright.cli.main._run", refuse)
    assert main(["doctor"]) == 1
    told = f"There must be enough memory, and threads. The system refused more ({error})."
    assert capfd.readouterr().err.startswith(told)


def test_a_reader_that_leaves_early_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "eyebright", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""
