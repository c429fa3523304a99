"""Several processes that fail alike are heard once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eyebright.runtime.errors_once import tell, told_once


def _fail(text: str) -> None:
    code = "import sys; from eyebright.runtime.errors_once import tell; tell(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, text], check=True)


def _fail_in_turn(*texts: str) -> None:
    for text in texts:
        _fail(text)
    raise KeyError


def test_alone_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tell("Something is wrong.")
    assert capsys.readouterr().err == "Something is wrong.\n"


def test_the_same_text_of_two_is_printed_once(capfd: pytest.CaptureFixture[str]) -> None:
    with told_once():
        for text in ("图 is wrong.", "图 is wrong."):
            _fail(text)
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "图 is wrong.\n"


def test_different_texts_are_all_printed_even_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), told_once():
        _fail_in_turn("One.", "Two.")
    assert sorted(capfd.readouterr().err.split()) == ["One.", "Two."]
    tell("Afterwards.")
    assert capfd.readouterr().err == "Afterwards.\n"
