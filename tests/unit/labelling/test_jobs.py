"""Jobs: one at a time, their progress told, stopped at the next item, and what fails is said."""

from __future__ import annotations

from threading import Event

import pytest

from eyebright.errors import ConfigError, DataError
from eyebright.labelling.jobs import Job, Jobs
from eyebright.runtime.context import progress_task, say


def ended(jobs: Jobs) -> Job:
    """Wait for the job under way; pytest's timeout ends a test in which it hangs."""
    thread = jobs._thread
    assert thread is not None
    thread.join()
    assert jobs.last is not None
    return jobs.last


def test_a_job_tells_how_far_it_is_and_stops_where_it_counts():
    jobs, halfway, go_on, reached = Jobs(), Event(), Event(), []

    def work() -> str:
        say("Reading images")
        with progress_task("Reading images", total=10) as task:
            for number in range(10):
                reached.append(number)
                if number == 5:
                    halfway.set()
                    go_on.wait()
                task.advance()
        return "/done"

    job = jobs.start("train", ["eyebright train"], work)
    halfway.wait()
    assert (job.step.done, job.step.total, job.lines) == (5, 10, ["Reading images"])
    with pytest.raises(ConfigError, match="One job must end"):
        jobs.start("audit", [], work)
    jobs.stop()
    go_on.set()
    assert (ended(jobs).state, reached) == ("stopped", [0, 1, 2, 3, 4, 5])
    go_on.set()
    jobs.start("train", [], work)  # started again, it goes on
    assert (ended(jobs).state, ended(jobs).result) == ("done", "/done")


def test_what_fails_is_told_and_the_next_job_can_begin():
    jobs = Jobs()

    def fails() -> str:
        raise DataError("At least one image must be readable. None is. Copy them again.")

    jobs.start("train", [], fails)
    assert (ended(jobs).state, ended(jobs).error.split(".")[1]) == ("failed", " None is")
    jobs.start("train", [], lambda: str(1 / 0))
    assert ended(jobs).error == "ZeroDivisionError: division by zero"
