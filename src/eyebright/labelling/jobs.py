"""Long work behind the page: one job at a time in a thread, with progress, and stopped where it counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Literal, TypeAlias

from eyebright.errors import ConfigError, EyebrightError
from eyebright.runtime.context import showing

State: TypeAlias = Literal["running", "done", "stopped", "failed"]
_MOST_LINES = 200
_JOIN_SECONDS = 4.0


class JobStoppedError(EyebrightError):
    """A person stopped a job; what it computed is cached."""


@dataclass(frozen=True)
class JobStep:
    """One piece of a job's work: how many items are done, and how long the others will take.

    Attributes:
        description: in the language of whoever started the job.
        done: items.
        total: items in all; None where nobody knows.
        seconds_left: of this step; None before it can be told.
    """

    description: str
    done: int
    total: int | None
    seconds_left: float | None


@dataclass
class Job:
    """A job and what can be told of it; read it through :class:`Jobs`.

    Attributes:
        kind: what is done, such as "train".
        command: the command line that would do the same.
        state: how it goes.
        lines: what the stage said.
        step: what it does now; None between steps.
        error: why it failed, in the language of whoever started it.
        result: where its result is, an address of the page.
    """

    kind: str
    command: Sequence[str]
    state: State = "running"
    lines: list[str] = field(default_factory=list)
    step: JobStep | None = None
    error: str = ""
    result: str = ""
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0


class Jobs:
    """Runs one job at a time; the page may be closed meanwhile."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None
        self.last: Job | None = None

    @property
    def running(self) -> bool:
        """Return whether a job is under way."""
        return self.last is not None and self.last.state == "running"

    def start(self, kind: str, command: Sequence[str], work: Callable[[], str]) -> Job:
        """Begin a job.

        Args:
            kind: what is done.
            command: the command line that would do the same.
            work: the stage; it returns the address of its result.

        Raises:
            ConfigError: another job is under way.
        """
        with self._lock:
            if self.running:
                raise ConfigError(
                    "One job must end before the next begins. {kind} is under way. Wait for it, or stop it.",
                    kind=self.last.kind if self.last else "",
                )
            job = self.last = Job(kind, command)
            self._stop.clear()
            context = copy_context()
            self._thread = Thread(target=context.run, args=(self._run, job, work), daemon=True)
            self._thread.start()
            return job

    def stop(self) -> None:
        """Ask the job under way to stop at the next item."""
        self._stop.set()

    def close(self) -> None:
        """Stop the job under way, and wait a moment for it."""
        self.stop()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)

    def _run(self, job: Job, work: Callable[[], str]) -> None:
        state: State = "failed"
        try:
            with showing(_Recorder(job, self._stop)):
                job.result = work()
            state = "done"
        except JobStoppedError:
            state = "stopped"
        except EyebrightError as error:
            job.error = error.text()
        except Exception as error:  # whatever fails, the page goes on and tells it
            job.error = f"{type(error).__name__}: {error}"
        finally:
            job.step, job.seconds = None, time.monotonic() - job.began
            job.state = state


class _Recorder:
    """Keeps what a stage reports for the page, and ends the stage when a person asks for it."""

    def __init__(self, job: Job, stop: Event) -> None:
        self._job = job
        self._stop = stop

    def say(self, text: str) -> None:
        """Keep a line."""
        self._require_wanted()
        self._job.lines += text.splitlines()
        del self._job.lines[:-_MOST_LINES]

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[_Counter]:
        """Open a step."""
        self._require_wanted()
        before = self._job.step
        yield _Counter(self._job, description, total, self._require_wanted)
        self._job.step = before

    def _require_wanted(self) -> None:
        if self._stop.is_set():
            raise JobStoppedError("The job was stopped. What it computed is kept. Start it again to go on.")


class _Counter:
    """Counts the items of a step."""

    def __init__(self, job: Job, description: str, total: int | None, check: Callable[[], None]) -> None:
        self._job, self._description, self._total, self._check = job, description, total, check
        self._done, self._began = 0, time.monotonic()
        self.advance(0)

    def advance(self, count: int = 1) -> None:
        """Count more items as done."""
        self._done += count
        elapsed = time.monotonic() - self._began
        left = None
        if self._total is not None and self._done and elapsed > 1:
            left = elapsed * max(0, self._total - self._done) / self._done
        self._job.step = JobStep(self._description, self._done, self._total, left)
        if count:
            self._check()

    def expect(self, total: int) -> None:
        """Take another total."""
        self._total = total
