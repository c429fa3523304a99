"""The log of a service: one JSON object a line, without images, written by a thread of its own."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Thread
from typing import IO

from eyebright.runtime.streams import give_up
from eyebright.types import Json

_MOST_WAITING = 10_000


class RequestLog:
    """Writes lines to a stream that may be slow, full or closed: no answer waits for it.

    Args:
        out: the stream; None writes nothing.
    """

    def __init__(self, out: IO[str] | None) -> None:
        self._out = out
        self._dropped = 0
        self._waiting: Queue[dict[str, Json] | None] = Queue(_MOST_WAITING)
        self._thread = Thread(target=self._write, name="log", daemon=True)
        if out is not None:
            self._thread.start()

    def write(self, event: str, **facts: Json) -> None:
        """Write a line; it is dropped, and counted, where the stream cannot keep up.

        Args:
            event: what happened.
            **facts: about it; what is None is left out.
        """
        if self._out is None:
            return
        line: dict[str, Json] = {"time": _now(), "event": event}
        try:
            self._waiting.put_nowait(line | {key: value for key, value in facts.items() if value is not None})
        except Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what is waiting, as far as the stream takes it within a second."""
        if self._out is None:
            return
        with suppress(Full):
            self._waiting.put(None, timeout=0.5)
        self._thread.join(timeout=0.5)

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            if self._dropped:
                line["dropped_lines"], self._dropped = self._dropped, 0
            self._print([line, *self._more()])

    def _more(self) -> list[dict[str, Json]]:
        """Return what else is waiting, so that many lines are written at once."""
        lines: list[dict[str, Json]] = []
        with suppress(Empty):
            while (line := self._waiting.get_nowait()) is not None:
                lines.append(line)
            self._waiting.put_nowait(None)  # the end, which the loop above must see
        return lines

    def _print(self, lines: list[dict[str, Json]]) -> None:
        out = self._out
        if out is None:
            return
        try:
            print("\n".join(json.dumps(line, ensure_ascii=True) for line in lines), file=out, flush=True)
        except (OSError, ValueError):  # full, or its reader left: the service goes on
            give_up(out)
            self._out = None


def _now() -> str:
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
