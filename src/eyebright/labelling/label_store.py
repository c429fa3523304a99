"""Labels on disk: an append-only list of events in SQLite, so that a kill loses nothing acknowledged.

The database is locked while it is open: a second studio on the same folder is refused, and a killed one
leaves no lock behind. Labels belong to an image's hash, not to its path.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType

from eyebright.errors import ConfigError, DataError, StorageError
from eyebright.labelling.label_state import Action, Event, LabelState
from eyebright.runtime.atomic import not_written

_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  batch INTEGER NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('label', 'decide', 'undo')),
  image TEXT NOT NULL,
  label TEXT
);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'append-only'); END;
PRAGMA user_version = {_VERSION};
"""
_INSERT = "INSERT INTO event (at, who, batch, action, image, label) VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT at, who, batch, action, image, label FROM event ORDER BY id"


class LabelStore:
    """The labels of one folder; safe to use from several threads.

    Args:
        path: of the database, which is made if there is none.

    Raises:
        ConfigError: another studio has it open.
        DataError: the file is not a database of labels.
        StorageError: the disk is full or must not be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with _told(path):
                self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> None:
        # Exclusive before anything is read: then no file of memory is shared with other processes.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        [(version,)] = self._database.execute("PRAGMA user_version")
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"version {version}")
        self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        self._state = LabelState()
        for at, who, batch, action, image, label in self._database.execute(_SELECT):
            self._state.apply(Event(at, who, batch, action, image, label))

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another studio open the folder."""
        with self._lock:
            self._database.close()

    @contextmanager
    def reading(self) -> Iterator[LabelState]:
        """Hold the labels as they are while the block reads them."""
        with self._lock:
            yield self._state

    def add(self, who: str, labels: Sequence[tuple[str, str | None]], action: Action = "label") -> int:
        """Label images; when this returns, the labels are on disk.

        Args:
            who: labels them.
            labels: hashes of images, each with its label; None takes a label back.
            action: "label", or "decide" where people disagree.

        Returns:
            The number of the batch, which :meth:`undo` takes back as one.

        Raises:
            StorageError: they could not be written; nothing of them counts.
        """
        with self._lock:
            batch = self._state.last_batch + 1
            self._append([Event(_now(), who, batch, action, image, label) for image, label in labels])
            return batch

    def undo(self, who: str) -> Sequence[str]:
        """Take a person's last batch back that was not taken back yet.

        Returns:
            The images whose labels changed; none where there is nothing to undo.
        """
        with self._lock:
            batch = self._state.last_undoable(who)
            if batch is None:
                return ()
            images = self._state.images_of(batch)
            self._append([Event(_now(), who, batch, "undo", image, None) for image in images])
            return images

    def _append(self, events: Sequence[Event]) -> None:
        """Write events in one transaction; only then do they count."""
        rows = [(e.at, e.who, e.batch, e.action, e.image, e.label) for e in events]
        with _told(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(_INSERT, rows)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        for event in events:
            self._state.apply(event)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raise our own errors in place of SQLite's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ConfigError(
                "A folder must be open in one studio at a time. {path} is open in another. Use that one's "
                "page, or close it.",
                path=path,
            ) from None
        raise not_written(path, error) from None
    except sqlite3.DatabaseError as error:
        raise DataError(
            "The labels must be a database that a studio of this version wrote. {path} is not ({reason}). "
            "Move it away; exported labels can be read again.",
            path=path,
            reason=error,
        ) from None
    except StorageError:
        raise
    except OSError as error:
        raise not_written(path, error.strerror) from error
