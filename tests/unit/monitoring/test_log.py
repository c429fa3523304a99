"""A log: what is counted is written and read back, and a file that anyone wrote is doubted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from eyebright.errors import DataError, NotFoundError, StorageError
from eyebright.monitoring.log import MOST_WINDOWS, Log
from eyebright.monitoring.projection import WIDTH
from eyebright.monitoring.recorder import Recorder
from eyebright.monitoring.sketch import MOST_ROWS, Batch, Sketch, most_rows

MODEL, LABELS = "ab" * 32, ("cat", "dog")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def batch(images: int, names: tuple[str, ...] = ()) -> Batch:
    random = np.random.default_rng(images)
    first = random.random(images).astype(np.float32)
    probabilities = np.stack([first, 1 - first], axis=1)
    return Batch(
        probabilities,
        (probabilities > 0.5).astype(np.int64),
        np.zeros(images, bool),
        first,
        random.normal(size=(images, WIDTH)).astype(np.float32),
        random.random((images, 4)).astype(np.float32),
        names,
    )


def recorded(path: Path | None, images: int = 40, windows: int = 1) -> Recorder:
    clock = Clock()
    recorder = Recorder(path, MODEL, LABELS, 60, clock)
    for _ in range(windows):
        recorder.observe(batch(images))
        clock.now += 60
    recorder.close()
    return recorder


def same(first: Sketch, second: Sketch) -> bool:
    pairs = zip(vars(first).items(), vars(second).values(), strict=True)
    rows = zip(vars(first.rows).values(), vars(second.rows).values(), strict=True)
    return all(np.array_equal(a, b) for (name, a), b in pairs if name != "rows") and all(
        np.array_equal(np.asarray(a), np.asarray(b)) for a, b in rows
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    log = recorded(tmp_path / "log.parquet", windows=3).snapshot()
    found = Log.read(tmp_path / "log.parquet")
    assert (found.model_sha256, found.labels, found.images) == (MODEL, LABELS, 120)
    assert [w.start for w in found.windows] == [1000, 1060, 1120]
    assert all(same(a, b) for a, b in zip(log.windows, found.windows, strict=True))
    assert found.windows[0].bins.sum(axis=1).tolist() == [40] * len(found.windows[0].bins)


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    recorded(path)
    recorded(path, images=10)
    assert [w.images for w in Log.read(path).windows] == [40, 10]


def test_threads_lose_no_image() -> None:
    recorder = Recorder(None, MODEL, LABELS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: recorder.observe(batch(3)), range(100)))
    (window,) = recorder.snapshot().windows
    assert window.images == window.projected == len(window.rows) == 300


def test_only_a_sample_of_rows_is_kept() -> None:
    log = recorded(None, images=900, windows=4).snapshot()
    assert [len(w.rows) for w in log.windows] == [0, 200, 900, 900]
    assert len(log.rows) == MOST_ROWS
    assert most_rows(10_000) * 10_000 < 1_000_000


def test_old_windows_are_added_up() -> None:
    window = recorded(None, images=2).snapshot().windows[0]
    many = [replace(window, start=float(i), end=i + 1.0) for i in range(MOST_WINDOWS + 1)]
    log = Log(MODEL, LABELS).followed_by(many)
    assert len(log.windows) <= MOST_WINDOWS
    assert log.images == 2 * len(many)
    assert log.windows[0].images == 4
    assert log.windows[-1].images == 2


def test_logs_of_two_machines_are_one() -> None:
    one, other = (recorded(None, images=n).snapshot() for n in (5, 6))
    assert one.merged(other).images == 11
    with pytest.raises(DataError, match="same model"):
        one.merged(replace(other, model_sha256="cd" * 32))


def test_another_models_log_is_not_gone_on_with(tmp_path: Path) -> None:
    recorded(tmp_path / "log.parquet")
    with pytest.raises(DataError, match="same model"):
        Recorder(tmp_path / "log.parquet", "cd" * 32, LABELS)


def test_a_full_disk_costs_no_answer(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path / "file" / "log.parquet", MODEL, LABELS, 60, clock)
    (tmp_path / "file").write_text("in the way")
    recorder.observe(batch(4))
    clock.now += 100
    recorder.observe(batch(4))
    assert recorder.snapshot().images == 8
    with pytest.raises(StorageError):
        recorder.close()


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [_cut, _flipped, lambda _: b"", lambda _: b"PAR1 no Parquet PAR1"])
def test_a_damaged_log_is_refused(tmp_path: Path, damage) -> None:
    path = tmp_path / "log.parquet"
    recorded(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="whole Parquet file"):
        Log.read(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [("images", -1), ("unknown", 41), ("predicted", [1]), ("row_probabilities", [2.0] * 80), ("end", 0.0)],
)
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, column: str, value: object) -> None:
    path = tmp_path / "log.parquet"
    recorded(path)
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0][column] = value
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    with pytest.raises(DataError, match="whole Parquet file"):
        Log.read(path)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="must exist"):
        Log.read(tmp_path / "none.parquet")
