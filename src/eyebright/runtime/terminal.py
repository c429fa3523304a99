"""Progress in a terminal as a bar, and in a log or a pipe as a few plain lines; always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from eyebright.runtime.streams import print_line
from eyebright.text.language import translate
from eyebright.text.table import printable_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from eyebright.runtime.progress import Task

_LINE_EVERY_SECONDS = 10.0


class TerminalProgress:
    """Shows what a stage does: item count, rate, time left and elapsed.

    Args:
        out: where to; standard error where None. A terminal gets a bar, anything else gets lines.
        clock: seconds that only ever grow.
    """

    def __init__(self, out: IO[str] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._console: Console | None = None

    def say(self, text: str) -> None:
        """Print a line, above the bar where there is one."""
        if self._console is None:
            print_line(text, self._out)
        else:
            self._console.print(printable_lines(text), markup=False, highlight=False, emoji=False)

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        """Show a piece of work of ``total`` items while the block runs."""
        # Bars inside a bar would need more than one live display; the inner task is written as lines.
        if self._out.isatty() and self._console is None:
            with self._bar(description, total) as bar:
                yield bar
        else:
            lines = _Lines(description, total, self.say, self._clock)
            yield lines
            lines.end()

    @contextmanager
    def _bar(self, description: str, total: int | None) -> Iterator[_Bar]:
        from rich.console import Console

        self._console = Console(file=self._out)
        start = self._clock()
        bars = _bars(self._console)
        try:
            with bars:
                task = _Bar(bars, bars.add_task(description, total=total, speed=""), self._clock)
                yield task
        finally:
            self._console = None
        self.say(summary_line(description, task.done, self._clock() - start))


class _Bar:
    """A task drawn by rich."""

    def __init__(self, bars: Bars, task: TaskID, clock: Callable[[], float]) -> None:
        self.done = 0
        self._bars, self._task, self._clock = bars, task, clock
        self._total = bars.tasks[-1].total
        self._start = clock()

    def advance(self, count: int = 1) -> None:
        self.done += count
        speed = _speed(self.done, self._total, self._clock() - self._start)
        self._bars.update(self._task, advance=count, speed=speed)

    def expect(self, total: int) -> None:
        self._total = total
        self._bars.update(self._task, total=total)


class _Lines:
    """A task as plain lines: one at the start, one at the end, and one every ten seconds between."""

    def __init__(
        self,
        description: str,
        total: int | None,
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._description, self._total, self._say, self._clock = (
            description,
            total,
            say,
            clock,
        )
        self._done = 0
        self._start = self._last = clock()
        self._say(translate("{task} …", task=self._title()))

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = self._clock()
        if now - self._last >= _LINE_EVERY_SECONDS and self._done != self._total:
            self._last = now
            self._say(progress_line(self._description, self._done, self._total, now - self._start))

    def expect(self, total: int) -> None:
        self._total = total

    def end(self) -> None:
        """Print the last line."""
        self._say(summary_line(self._description, self._done, self._clock() - self._start))

    def _title(self) -> str:
        return self._description if self._total is None else f"{self._description} ({self._total:,})"


def _bars(console: Console) -> Bars:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.table import Column

    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None, table_column=Column(max_width=24)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[speed]}", markup=False, table_column=Column(no_wrap=True)),
        console=console,
        transient=True,  # the summary line takes the bar's place
    )


def progress_line(description: str, done: int, total: int | None, seconds: float) -> str:
    """Return a task's count, rate and time left as one line."""
    count = f"{done:,}" if total is None else f"{done:,}/{total:,}"
    return translate(
        "{task}: {count}, {speed}", task=description, count=count, speed=_speed(done, total, seconds)
    )


def summary_line(description: str, done: int, seconds: float) -> str:
    """Return what a finished task did, in how long."""
    if not done:
        return translate("{task}: {time}", task=description, time=_duration(seconds))
    return translate(
        "{task}: {done} in {time}, {rate}",
        task=description,
        done=f"{done:,}",
        time=_duration(seconds),
        rate=_rate(done, seconds),
    )


def _speed(done: int, total: float | None, seconds: float) -> str:
    """Return the rate, and the time left where the total is known."""
    rate = _rate(done, seconds)
    if total is None:
        return rate
    left = seconds / max(done, 1) * max(total - done, 0)
    return translate("{rate}, {time} left", rate=rate, time=_duration(left))


def _rate(done: int, seconds: float) -> str:
    rate = done / max(seconds, 1e-3)
    return translate("{rate}/s", rate=f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return translate("{seconds} s", seconds=f"{seconds:.1f}")
    if seconds < 3600:
        return translate("{minutes} min {seconds} s", minutes=int(seconds // 60), seconds=int(seconds % 60))
    hours, minutes = divmod(int(seconds // 60), 60)
    return translate("{hours} h {minutes} min", hours=hours, minutes=minutes)
