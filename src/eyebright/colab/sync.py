"""The thread that copies to Drive every few minutes, and says when Drive goes away and when it is back."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from eyebright.colab.drive_folder import DriveGoneError
from eyebright.errors import StorageError
from eyebright.runtime.parallel import in_context
from eyebright.runtime.stored import reason_of
from eyebright.text.language import translate

_AGAIN_SECONDS = 20.0


class Saved(Protocol):
    """What is brought to Drive, such as a :class:`Mirror`."""

    def save(self) -> bool:
        """Bring what changed to Drive, and return whether that is all there is."""


class Sync:
    """Copies to Drive in a thread of its own, at intervals and when it is closed.

    Args:
        saved: returns what to bring to Drive; asked each time, for folders may have come.
        seconds: between two copies; after a failure it is tried again sooner.
        tell: shows a sentence to the person who watches.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        saved: Callable[[], Sequence[Saved]],
        seconds: float,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._saved, self._seconds, self._tell, self._clock = saved, seconds, tell, clock
        self._last: float | None = None
        self._problem = ""
        self._working = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=in_context(self._run), name="eyebright-drive", daemon=True)

    def start(self) -> None:
        """Begin to copy; what is there when the interpreter ends is copied then."""
        atexit.register(self.close)
        self._thread.start()

    def close(self) -> None:
        """Copy for a last time, and end the thread."""
        atexit.unregister(self.close)
        if not self._end.is_set():
            self._end.set()
            self._thread.join()
            self.now()

    def now(self) -> bool:
        """Copy now.

        Returns:
            Whether all there is has arrived.
        """
        with self._working:
            try:
                arrived = [saved.save() for saved in self._saved()]
            except (OSError, StorageError) as error:
                self._failed(error)
                return False
            whole = all(arrived)
            if whole:
                self._last = self._clock()
            if self._problem:
                self._problem = ""
                self._tell(translate("Drive is back. All was copied to it again."))
            return whole

    def status(self) -> str:
        """Return a sentence that says how far Drive is behind."""
        last = self._last_copy()
        if not self._problem:
            return last
        return translate(
            "{problem} Nothing is lost, work goes on here. {last}", problem=self._problem, last=last
        )

    def _run(self) -> None:
        wait = self._seconds
        while not self._end.wait(wait):
            wait = self._seconds if self.now() else min(self._seconds, _AGAIN_SECONDS)

    def _failed(self, error: OSError) -> None:
        """Say once what is wrong; until it is over nothing more is said."""
        before = self._problem
        if isinstance(error, DriveGoneError):
            self._problem = translate("Drive went away.")
        elif isinstance(error, StorageError):
            self._problem = error.text()
        else:
            reason = reason_of(error)
            self._problem = translate("Drive takes no files at the moment ({reason}).", reason=reason)
        if not before:
            self._tell(self.status())

    def _last_copy(self) -> str:
        if self._last is None:
            return translate("Nothing was copied to Drive yet.")
        minutes = int((self._clock() - self._last) / 60)
        if minutes == 0:
            return translate("Last copied to Drive less than a minute ago.")
        return translate("Last copied to Drive {count:minute|minutes} ago.", count=minutes)
