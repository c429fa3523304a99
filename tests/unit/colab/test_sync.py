"""The thread that copies to Drive, and what it says."""

from __future__ import annotations

import threading

from eyebright.colab.drive_folder import DriveGoneError
from eyebright.colab.sync import Sync
from eyebright.text.language import speaking


class Saved:
    """Something to bring to Drive; ``error`` is raised while it is set."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.count = 0
        self.came = threading.Event()

    def save(self) -> bool:
        if self.error is not None:
            raise self.error
        self.count += 1
        self.came.set()
        return True


def test_drive_that_goes_and_comes_back_is_told_once_each():
    saved, now = Saved(), [0.0]
    told: list[str] = []
    sync = Sync(lambda: [saved], 300, told.append, lambda: now[0])
    assert sync.status() == "Nothing was copied to Drive yet."
    assert sync.now()
    now[0] = 130
    saved.error = DriveGoneError(107, "Transport endpoint is not connected")
    assert not sync.now()
    assert not sync.now()
    lost = "Drive went away. Nothing is lost, work goes on here. Last copied to Drive 2 minutes ago."
    assert told == [lost] == [sync.status()]
    saved.error = None
    assert sync.now()
    assert told == [lost, "Drive is back. All was copied to it again."]
    assert sync.status() == "Last copied to Drive less than a minute ago."


def test_a_failing_write_is_told_with_its_reason_and_in_chinese():
    saved = Saved()
    told: list[str] = []
    saved.error = OSError(28, "No space left on device")
    with speaking("zh"):
        Sync(lambda: [saved], 300, told.append).now()
    assert "No space left on device" in told[0]
    assert "没有任何损失" in told[0]


def test_it_copies_by_itself_and_for_a_last_time():
    saved = Saved()
    sync = Sync(lambda: [saved], 0.01, print)
    sync.start()
    assert saved.came.wait(60)
    sync.close()
    before = saved.count
    sync.close()  # twice is once
    assert before == saved.count >= 2
