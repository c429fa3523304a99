"""What surrounds a running stage: the language, where progress is shown, and the clock of its steps.

These belong to the call, not to any one function, so they travel in context variables instead of in every
signature. The command line, Python and the tests enter a context; everything below only speaks and counts.
Threads see what surrounds them through :func:`eyebright.runtime.parallel.in_context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from eyebright.runtime.progress import SILENT, Progress, Task
from eyebright.runtime.timing import Stopwatch
from eyebright.text.language import speaking, translate

#: What shows progress, as :func:`showing` takes it.
Shown: TypeAlias = Progress | bool | None

_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)
_watch: ContextVar[Stopwatch] = ContextVar("watch")

Options = TypeVar("Options")
Result = TypeVar("Result")
More = ParamSpec("More")


def progress() -> Progress:
    """Return where progress is shown; say plain text there."""
    return _progress.get() or SILENT


def say(template: str, **values: object) -> None:
    """Show a line of text, translated, to the person who watches."""
    progress().say(translate(template, **values))


def progress_task(template: str, total: int | None = None, **values: object) -> AbstractContextManager[Task]:
    """Open a piece of work of ``total`` items under a translated description."""
    return progress().task(translate(template, **values), total=total)


def timed(step: str) -> AbstractContextManager[None]:
    """Time a block as part of ``step`` of the current stage."""
    return watch().stage(step)


def watch() -> Stopwatch:
    """Return the clock of the current stage; outside of any stage a fresh one."""
    return _watch.get(None) or Stopwatch()


@contextmanager
def showing(shown: Shown) -> Iterator[None]:
    """Show progress in ``shown`` while the block runs.

    Args:
        shown: an object with `task` and `say`; or False for nowhere; or True for what suits the place, a
            notebook, a terminal or a log; or None for what surrounds the block, and else the same as True.
    """
    token = _progress.set(_resolved(shown))
    try:
        yield
    finally:
        _progress.reset(token)


def _resolved(shown: Shown) -> Progress:
    if shown is False:
        return SILENT
    if shown is None and (surrounding := _progress.get()) is not None:
        return surrounding
    if shown is None or shown is True:
        from eyebright.runtime.notebook import automatic_progress

        return automatic_progress()
    return shown


@contextmanager
def clocked() -> Iterator[Stopwatch]:
    """Start a clock of its own for the steps of the block."""
    stopwatch = Stopwatch()
    token = _watch.set(stopwatch)
    try:
        yield stopwatch
    finally:
        _watch.reset(token)


def stage(
    function: Callable[Concatenate[Options, More], Result],
) -> Callable[Concatenate[Options, More], Result]:
    """Run a verb's stage function in the language of its options and with a clock of its own."""

    @wraps(function)
    def entered(config: Options, /, *args: More.args, **kwargs: More.kwargs) -> Result:
        lang: Any = getattr(config, "lang", None)
        with ExitStack() as surroundings:
            if lang is not None:
                surroundings.enter_context(speaking(lang))
            surroundings.enter_context(clocked())
            return function(config, *args, **kwargs)

    return entered
