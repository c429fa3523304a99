"""Progress of long work: the stages report to a small protocol, the terminal draws it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of work with a known or unknown total."""

    def advance(self, count: int = 1) -> None:
        """Count ``count`` more items as done."""

    def expect(self, total: int) -> None:
        """Take another total, where a limit of time decides how many items there will be."""


class Progress(Protocol):
    """Where a stage reports what it does."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a piece of work of ``total`` items."""

    def say(self, text: str) -> None:
        """Show a line of text to the person who watches."""


class _Nothing:
    def advance(self, count: int = 1) -> None:
        return None

    def expect(self, total: int) -> None:
        return None


class Silent:
    """Report nothing."""

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        """Open a task that shows nothing."""
        yield _Nothing()

    def say(self, text: str) -> None:
        """Show nothing."""


SILENT = Silent()
