"""Progress in a notebook, one line of text for each task; and the choice between it and the terminal's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eyebright.runtime.terminal import TerminalProgress, progress_line, summary_line
from eyebright.text.language import translate

if TYPE_CHECKING:
    from eyebright.runtime.progress import Progress, Task

#: Writes the text of a line that was put into the notebook before.
Rewrite = Callable[[str], None]

_LINE_EVERY_SECONDS = 0.2
_BAR = 24


class NotebookProgress:
    """Show each task of a stage as a line with its count, rate and time left.

    Every notebook can rewrite plain text; the bars of rich and tqdm need ipywidgets, which Jupyter lacks.

    Args:
        put: puts a line into the notebook and returns what rewrites it.
        clock: seconds that only ever grow.
    """

    def __init__(
        self, put: Callable[[str], Rewrite] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._put = put or _put
        self._clock = clock

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._put(text)

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        """Show a piece of work of ``total`` items while the block runs, and its summary afterwards."""
        start = self._clock()
        line = _Line(description, total, self._put(translate("{task} …", task=description)), self._clock)
        try:
            yield line
        finally:
            line.rewrite(summary_line(description, line.done, self._clock() - start))


class _Line:
    """A task as one line that is rewritten a few times a second."""

    def __init__(
        self, description: str, total: int | None, rewrite: Rewrite, clock: Callable[[], float]
    ) -> None:
        self.rewrite = rewrite
        self.done = 0
        self._description, self._total, self._clock = description, total, clock
        self._start = self._last = clock()

    def advance(self, count: int = 1) -> None:
        self.done += count
        now = self._clock()
        if now - self._last >= _LINE_EVERY_SECONDS:
            self._last = now
            text = progress_line(self._description, self.done, self._total, now - self._start)
            self.rewrite(f"{_bar(self.done / self._total)} {text}" if self._total else text)

    def expect(self, total: int) -> None:
        self._total = total


def _bar(share: float) -> str:
    full = round(_BAR * min(share, 1.0))
    return "█" * full + "░" * (_BAR - full)


def _put(text: str) -> Rewrite:
    """Put a line of plain text into the cell that runs."""
    from IPython.display import display

    handle = display({"text/plain": text}, raw=True, display_id=True)
    return lambda new: handle.update({"text/plain": new}, raw=True)


def automatic_progress() -> Progress:
    """Return what suits the place: a notebook's cell, a terminal, or the lines of a log."""
    return NotebookProgress() if _in_notebook() else TerminalProgress()


def _in_notebook() -> bool:
    """Return whether a kernel of Jupyter, Colab or the like runs this; a terminal's IPython is none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
