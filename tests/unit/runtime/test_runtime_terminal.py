"""Progress as lines and as a bar."""

from __future__ import annotations

import io
from itertools import count

import pytest

from eyebright.runtime.terminal import TerminalProgress
from eyebright.text.language import speaking


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_at_the_start_and_one_at_the_end():
    out, clock = io.StringIO(), Clock()
    with TerminalProgress(out=out, clock=clock).task("Computing features", total=2000) as task:
        for _ in range(20):
            clock.now += 0.2
            task.advance(100)
    assert out.getvalue().splitlines() == [
        "Computing features (2,000) …",
        "Computing features: 2,000 in 4.0 s, 500/s",
    ]


def test_a_log_gets_a_line_every_ten_seconds():
    out, clock = io.StringIO(), Clock()
    with TerminalProgress(out=out, clock=clock).task("Reading", total=100) as task:
        for _ in range(100):
            clock.now += 0.25
            task.advance()
    assert out.getvalue().splitlines()[1:] == [
        "Reading: 40/100, 4.0/s, 15.0 s left",
        "Reading: 80/100, 4.0/s, 5.0 s left",
        "Reading: 100 in 25.0 s, 4.0/s",
    ]


def test_a_task_of_unknown_length():
    out, clock = io.StringIO(), Clock()
    with TerminalProgress(out=out, clock=clock).task("Reading") as task:
        clock.now = 4000.0
        task.advance(8000)
    assert out.getvalue().splitlines() == [
        "Reading …",
        "Reading: 8,000, 2.0/s",
        "Reading: 8,000 in 1 h 6 min, 2.0/s",
    ]


def test_the_time_left_follows_a_total_that_changes():
    out, clock = io.StringIO(), Clock()
    with TerminalProgress(out=out, clock=clock).task("Fine-tuning", total=1000) as task:
        task.expect(60)
        clock.now = 10.0
        task.advance(20)
    assert out.getvalue().splitlines()[1] == "Fine-tuning: 20/60, 2.0/s, 20.0 s left"


def test_an_interrupted_task_does_not_claim_its_end():
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), TerminalProgress(out=out).task("Reading", total=3):
        raise KeyboardInterrupt
    assert out.getvalue() == "Reading (3) …\n"


def test_a_terminal_gets_a_bar_and_a_summary(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    out, seconds = Terminal(), count()
    progress = TerminalProgress(out, clock=lambda: float(next(seconds)))
    with speaking("zh"), progress.task("计算", total=99) as task:
        task.expect(10)
        task.advance(10)
        progress.say("[bold]见到[/bold] :smile:")
    text = out.getvalue()
    assert "10/10" in text
    assert "[bold]见到[/bold] :smile:" in text  # a label that looks like markup is none
    assert text.splitlines()[-1].endswith("项")
    assert "每秒" in text


def test_the_terminal_can_be_used_again_after_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    progress = TerminalProgress(out=out)
    with pytest.raises(ValueError), progress.task("One", total=2):
        raise ValueError
    progress.say("plain")
    assert out.getvalue().endswith("plain\n")
