"""The feature cache: what was flushed is read again, by whoever opens the same space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cache_material import CARD, WIDTH, filled, key, numbers_of, opened, row

from eyebright.errors import StorageError
from eyebright.training.cache import store as cache
from eyebright.training.cache.store import FeatureSpace, Space, default_folder


def test_rows_come_in_the_order_asked_for(tmp_path: Path) -> None:
    space = filled(tmp_path, range(5), range(5, 9), range(9, 10))
    asked = [7, 0, 9, 1, 2, 8, 0, 6, 7]
    for reader in (space, opened(tmp_path)):
        np.testing.assert_array_equal(reader.read([key(n) for n in asked]), np.stack([row(n) for n in asked]))


def test_columns_are_cut_out_of_each_row(tmp_path: Path) -> None:
    space = FeatureSpace(tmp_path, CARD, 6)
    rows = np.arange(24, dtype=np.float16).reshape(4, 6)
    for number in range(4):
        space.add(key(number), rows[number])
    space.flush()
    places = np.array([5, 0, 3])
    np.testing.assert_array_equal(space.read([key(3), key(1)], places), rows[[3, 1]][:, places])
    np.testing.assert_array_equal(space.read([key(2)], slice(1, 3)), rows[[2], 1:3])
    assert space.read([]).shape == (0, 6)


def test_rows_are_there_after_a_flush_and_not_before(tmp_path: Path) -> None:
    space = opened(tmp_path)
    space.add(key(1), row(1))
    assert key(1) not in space
    assert key(1) not in opened(tmp_path)
    space.flush()
    assert key(1) in space
    assert numbers_of(opened(tmp_path), 3) == [1]
    with pytest.raises(KeyError):
        space.read([key(2)])


def test_a_flush_of_nothing_writes_nothing(tmp_path: Path) -> None:
    space = filled(tmp_path, range(3))
    before = sorted(space.folder.iterdir())
    space.flush()
    assert sorted(space.folder.iterdir()) == before


def test_a_row_that_was_written_twice_is_read_once(tmp_path: Path) -> None:
    filled(tmp_path, range(4), range(2, 6))
    assert numbers_of(opened(tmp_path), 10) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "change", [{"size": 128}, {"view": 1}, {"precision": "bfloat16"}, {"backbone": "other"}]
)
def test_another_card_is_another_space(tmp_path: Path, change: dict[str, Any]) -> None:
    filled(tmp_path, range(4))
    other = FeatureSpace(tmp_path, CARD | change, WIDTH)
    assert key(0) not in other
    assert other.folder != opened(tmp_path).folder


def test_the_cards_order_does_not_matter(tmp_path: Path) -> None:
    filled(tmp_path, range(4))
    assert key(0) in FeatureSpace(tmp_path, dict(reversed(CARD.items())), WIDTH)


def test_rows_of_another_width_count_as_absent(tmp_path: Path) -> None:
    filled(tmp_path, range(3))
    assert key(0) not in FeatureSpace(tmp_path, CARD, WIDTH + 1)


def test_the_folder_is_the_one_that_the_environment_names(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("EYEBRIGHT_CACHE")
    assert default_folder().is_absolute()
    assert "eyebright" in default_folder().parts[-1]


def test_rows_of_bytes_have_a_space_of_their_own_type(tmp_path: Path) -> None:
    rows = np.arange(24, dtype=np.uint8).reshape(4, 6)
    space = Space(tmp_path, CARD, 6, np.uint8)
    space.keep((key(n), rows[n]) for n in range(4))
    read = Space(tmp_path, CARD, 6, np.uint8).read([key(3), key(0)])
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, rows[[3, 0]])
    assert key(0) not in Space(tmp_path, CARD, 6, np.float16)  # never read as another type


def test_rows_that_are_kept_are_on_disk_by_and_by(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cache, "_FLUSH_BYTES", 5 * 2 * WIDTH)
    seen = []

    def made():
        for number in range(12):
            seen.append(len(numbers_of(opened(tmp_path), 20)))
            yield key(number), row(number)
        raise KeyboardInterrupt

    space = opened(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        space.keep(made())
    assert seen == [0] * 5 + [5] * 5 + [10] * 2
    assert numbers_of(opened(tmp_path), 20) == list(range(12))


def test_room_is_checked_to_the_byte(tmp_path: Path, monkeypatch) -> None:
    space = opened(tmp_path)
    monkeypatch.setattr(cache, "disk_free_bytes", lambda path: 10 * 2 * WIDTH)
    space.check_room(10)
    with pytest.raises(StorageError, match="EYEBRIGHT_CACHE"):
        space.check_room(11)
