"""A process that is asked to end unwinds as at Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
from command_line import environment

from eyebright.runs.run import Run
from eyebright.runtime.signals import stoppable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with stoppable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_takes_no_signals() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with stoppable():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures


@pytest.mark.xdist_group("alone")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_command_says_that_it_stopped(number: signal.Signals, textile_run: Run) -> None:
    words = [sys.executable, "-m", "eyebright", "predict", str(textile_run.directory), "-"]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment(),
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # also in the background, and under nohup
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it waits for paths now
        process.send_signal(number)
        process.wait(timeout=60)
        rest = process.stderr.read()
    assert process.returncode == 128 + number
    assert rest.endswith("run the same command again to reuse it from the cache.\n")
    assert "Traceback" not in rest
