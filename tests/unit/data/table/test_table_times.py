"""Times as people write them; an order of day and month that no date tells is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import LabelTable, find_meaning
from eyebright.data.table.delimited import DataTable
from eyebright.errors import DataError


def meaning(times: list[str], columns: Columns, name: str = "when") -> LabelTable:
    rows = [(f"{i}.jpg", "ab"[i % 2], time) for i, time in enumerate(times)]
    table = DataTable(Path("labels.csv"), ["path", "label", name], rows, range(2, len(rows) + 2))
    return find_meaning(table, chosen=columns)


def read(*times: str, name: str = "when") -> list[str]:
    return [row.time for row in meaning(list(times), Columns(time=name)).rows]


@pytest.mark.parametrize(
    "written",
    [
        "2024-03-05 10:22",
        "2024-03-05T10:22:00",
        "2024/03/05 10:22",
        "2024/3/5 10:22",
        "2024.3.5 10:22",
        "2024:03:05 10:22:00",
        "2024年3月5日 10:22",
        "1709634120",
        "1709634120000",
        "1709634120.5",
        "5 Mar 2024 10:22",
        "March 5, 2024 10:22 am",
        "2024-03-05T10:22:00Z",
        "2024-03-05T18:22:00+08:00",
    ],
)
def test_one_moment_in_every_form(written: str) -> None:
    assert read(written) == ["2024-03-05T10:22:00"]


def test_what_is_not_known_stays_open() -> None:
    assert read("2024-03-05", "", "NaT", "nan") == ["2024-03-05T00:00:00", "", "", ""]


def test_a_date_that_can_be_read_in_one_way_only_tells_the_order_of_all() -> None:
    assert read("5/3/2024", "25/3/2024") == ["2024-03-05T00:00:00", "2024-03-25T00:00:00"]
    assert read("3/5/2024 2:30 PM", "3/25/2024 12:05 AM") == ["2024-03-05T14:30:00", "2024-03-25T00:05:00"]


def test_an_order_that_no_date_tells_is_asked_for_and_can_be_said() -> None:
    with pytest.raises(DataError, match=r"begin with the day or the month.*5/3/2024.*--time when:dmy"):
        read("5/3/2024", "6/3/2024")
    assert read("5/3/2024", name="when:dmy") == ["2024-03-05T00:00:00"]
    assert read("5/3/2024", name="when:mdy") == ["2024-05-03T00:00:00"]
    assert read("5/5/2024") == ["2024-05-05T00:00:00"]


def test_dates_of_both_orders_are_refused() -> None:
    with pytest.raises(DataError, match=r"written alike.*25/3/2024.*3/25/2024"):
        read("25/3/2024", "3/25/2024")


@pytest.mark.parametrize("wrong", ["yesterday", "2024-13-05", "31/02/2024", "10:22", "17"])
def test_what_is_no_time_is_refused_with_its_line(wrong: str) -> None:
    with pytest.raises(DataError, match=r"Line 3 of labels\.csv has"):
        read("2024-03-05", wrong)


@pytest.mark.parametrize("name", ["time", "Date", "taken_at", "拍摄时间", "日期"])
def test_certain_names_are_taken(name: str) -> None:
    found = meaning(["2024-03-05", "2024-03-06"], Columns(), name)
    assert [row.time[:10] for row in found.rows] == ["2024-03-05", "2024-03-06"]
    assert (name, "time") in found.roles
    assert found.columns.time == name


def test_times_that_cannot_be_read_matter_only_where_they_are_needed() -> None:
    found = meaning(["5/3/2024", "6/3/2024"], Columns(), "date")
    assert [row.time for row in found.rows] == ["", ""]
    assert ("date", "") in found.roles
    with pytest.raises(DataError, match="begin with the day or the month"):
        meaning(["5/3/2024", "6/3/2024"], Columns(needs_time=True), "date")
