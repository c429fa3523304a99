"""Where progress is shown: what a caller chose, what surrounds the call, or what suits the place."""

from __future__ import annotations

import io
import sys

import pytest

from eyebright.runtime.context import progress, progress_task, say, showing
from eyebright.runtime.notebook import NotebookProgress, Rewrite
from eyebright.runtime.progress import SILENT
from eyebright.runtime.terminal import TerminalProgress


class Cell:
    """The output of a notebook's cell: lines that can be rewritten."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def put(self, text: str) -> Rewrite:
        place = len(self.lines)
        self.lines.append(text)

        def rewrite(new: str) -> None:
            self.lines[place] = new

        return rewrite


class Clock:
    """Seconds that pass only when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_notebook_rewrites_one_line_for_each_task() -> None:
    cell, clock = Cell(), Clock()
    shown = NotebookProgress(cell.put, clock)
    shown.say("Found 2 classes.")
    with shown.task("Computing features", 100) as task:
        assert cell.lines[1] == "Computing features …"
        for _ in range(50):
            clock.now += 0.25
            task.advance()
        bar, text = cell.lines[1].split(" ", 1)
        assert text == "Computing features: 50/100, 4.0/s, 12.5 s left"
        assert (bar.count("█"), bar.count("░")) == (12, 12)
        with shown.task("Reading") as inner:
            clock.now += 1
            inner.advance(4)
            assert cell.lines[2] == "Reading: 4, 4.0/s"
    assert cell.lines == [
        "Found 2 classes.",
        "Computing features: 50 in 13.5 s, 3.7/s",
        "Reading: 4 in 1.0 s, 4.0/s",
    ]


def test_a_task_that_failed_says_how_far_it_came() -> None:
    cell = Cell()

    def fail() -> None:
        with NotebookProgress(cell.put, Clock()).task("Reading") as task:
            task.advance(3)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert cell.lines[0].startswith("Reading: 3 in")


def test_by_default_a_script_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with showing(None):
        assert isinstance(progress(), TerminalProgress)
        say("Found {classes:class|classes}.", classes=1)
    assert out.getvalue() == "Found 1 class.\n"


def test_what_surrounds_a_call_takes_precedence_over_the_default_only() -> None:
    own = NotebookProgress(Cell().put)
    with showing(own):
        with showing(None):
            assert progress() is own
        with showing(False), progress_task("Reading"):
            assert progress() is SILENT
        with showing(True):
            assert isinstance(progress(), TerminalProgress)
        assert progress() is own


def test_nothing_is_shown_outside() -> None:
    assert progress() is SILENT
