"""Labels: kept through a kill, taken back by batch, locked, never changed; decided where people differ."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import environment

from eyebright.errors import ConfigError, DataError, StorageError
from eyebright.labelling.agreement import agreements, cohens_kappa
from eyebright.labelling.label_state import GIVEN
from eyebright.labelling.label_store import LabelStore

WRITER = """
import sys
from pathlib import Path
from eyebright.labelling.label_store import LabelStore
store = LabelStore(Path(sys.argv[1]))
for number in range(100_000):
    store.add("ann", [(f"image-{number}", "cat")])
    print(number, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    with LabelStore(tmp_path / "labels.sqlite") as opened:
        yield opened


def labels(store: LabelStore) -> dict[str, str]:
    with store.reading() as state:
        return dict(state.labels())


def test_a_batch_is_taken_back_as_one_and_only_by_who_gave_it(store: LabelStore):
    store.add("ann", [("a", "cat"), ("b", "cat")])
    store.add("ann", [("b", "dog")])
    store.add("bob", [("c", "dog")])
    assert labels(store) == {"a": "cat", "b": "dog", "c": "dog"}
    assert store.undo("ann") == ["b"]
    assert labels(store) == {"a": "cat", "b": "cat", "c": "dog"}
    assert store.undo("ann") == ["a", "b"]
    assert store.undo("ann") == ()
    assert labels(store) == {"c": "dog"}


def test_what_was_taken_back_stays_so_when_the_folder_is_opened_again(tmp_path: Path):
    path = tmp_path / "labels.sqlite"
    with LabelStore(path) as store:
        store.add("ann", [("a", "cat")])
        store.add("ann", [("a", "dog")])
        store.undo("ann")
        before = labels(store)
    with LabelStore(path) as store:
        assert labels(store) == before == {"a": "cat"}
        assert store.undo("ann") == ["a"]


def test_people_who_differ_leave_an_image_open_until_somebody_decides(store: LabelStore):
    store.add(GIVEN, [("a", "bird"), ("b", "bird")])
    store.add("ann", [("a", "cat")])
    assert labels(store) == {"a": "cat", "b": "bird"}  # a person knows better than a folder's name
    store.add("bob", [("a", "dog")])
    with store.reading() as state:
        assert state.disputed("a")
        assert state.label("a") is None
    store.add("cid", [("a", "dog")], "decide")
    assert labels(store) == {"a": "dog", "b": "bird"}
    store.undo("cid")
    assert labels(store) == {"b": "bird"}


def test_a_second_studio_is_refused_and_the_first_one_goes_on(store: LabelStore):
    with pytest.raises(ConfigError, match="one studio at a time"):
        LabelStore(store.path)
    store.add("ann", [("a", "cat")])
    assert labels(store) == {"a": "cat"}


def test_no_event_is_changed_or_removed(tmp_path: Path):
    with LabelStore(tmp_path / "labels.sqlite") as store:
        store.add("ann", [("a", "cat")])
    database = sqlite3.connect(store.path)
    for statement in ("UPDATE event SET label = 'dog'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement)
    database.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path):
    (tmp_path / "labels.sqlite").write_text("path,label\n" * 1000)
    with pytest.raises(DataError, match=r"labels\.sqlite is not"):
        LabelStore(tmp_path / "labels.sqlite")


def test_on_a_full_disk_nothing_of_a_batch_counts_and_it_can_be_given_again(store: LabelStore):
    store.add("ann", [("a", "cat")])
    [(pages,)] = store._database.execute("PRAGMA page_count")
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    batch = [(f"image-{number}", "dog") for number in range(10_000)]
    with pytest.raises(StorageError, match="free space"):
        store.add("ann", batch)
    assert labels(store) == {"a": "cat"}
    store._database.execute("PRAGMA max_page_count = 1000000")
    store.add("ann", batch)
    assert len(labels(store)) == 10_001


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path):
    path = tmp_path / "labels.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=environment(), text=True
    )
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(40)][-1]
    writer.send_signal(signal.SIGKILL)
    rest = writer.communicate()[0].split()
    told = int(rest[-1]) if rest else told
    with LabelStore(path) as store:  # the lock died with the process
        assert {f"image-{number}" for number in range(told + 1)} <= labels(store).keys()


def test_kappa_is_that_of_the_textbook(store: LabelStore):
    # Two readers of 50 proposals: 20 both yes, 15 both no; kappa 0.4.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa([("y", "y")] * 3) is None
    for number, (one, other) in enumerate(pairs):
        store.add("ann", [(str(number), one)])
        store.add("bob", [(str(number), other)])
    with store.reading() as state:
        [found] = agreements(state)
    assert (found.first, found.second, found.images, found.same) == ("ann", "bob", 50, 35)
    assert found.kappa == pytest.approx(0.4)
