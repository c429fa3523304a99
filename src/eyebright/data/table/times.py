"""Which column of a table says when its images were taken, and the times as people write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from eyebright.data.splits.capture_time import EARLIEST, read_time
from eyebright.data.table.chosen import Columns, Order
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.named_column import certain_columns, the_only
from eyebright.errors import DataError

_NAMES = (
    *("time", "date", "datetime", "date_time", "timestamp", "taken_at", "captured_at", "date_taken"),
    *("acquisition_date", "capture_time", "时间", "日期", "拍摄时间", "拍摄日期"),
)
_ABSENT = frozenset(("", "nan", "nat", "none", "null", "n/a", "na", "-"))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?:[T ,]+(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*([ap]\.?m\.?)?)?"
_NUMBERS = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})" + _CLOCK, re.IGNORECASE)
_MONTH = r"([a-z]{3})[a-z]*\.?"
# Each with the parts that its first three groups are; those of the clock follow.
_FORMS = tuple(
    (re.compile(pattern + _CLOCK, re.IGNORECASE), parts)
    for pattern, parts in (
        (r"(\d{4})(?:[/.-]|年)(\d{1,2})(?:[/.-]|月)(\d{1,2})日?", "ymd"),
        (rf"(\d{{1,2}})(?:st|nd|rd|th)?[ .-]+{_MONTH}[ ,-]+(\d{{4}})", "dmy"),
        (rf"{_MONTH} +(\d{{1,2}})(?:st|nd|rd|th)?,? +(\d{{4}})", "mdy"),
    )
)
_ZONED = re.compile(r".*\d(Z|[+-]\d\d:?\d\d)", re.IGNORECASE)
# Seconds since 1970 have 9 or 10 digits from 1973 to 2286; with more digits they are parts of a second.
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d*)?|(\d{10})\d{3}|(\d{10})\d{6}|(\d{10})\d{9}")


def find_time_column(table: DataTable, columns: Collection[str], chosen: Columns) -> str | None:
    """Return the column that says when images were taken, where that is certain.

    Args:
        table: for the sentence.
        columns: its columns that have no other meaning yet.
        chosen: columns that the user names, not one of times.

    Raises:
        DataError: several columns could, and the times are needed.
    """
    found = certain_columns(columns, chosen, _NAMES)
    return the_only(table, found if chosen.needs_time or len(found) == 1 else (), "time")


def read_times(table: DataTable, name: str, cells: Sequence[str], order: Order | None = None) -> list[str]:
    """Return the times in a column as ISO 8601 to the second; empty where a cell says none.

    Times with a zone are brought to UTC where all have one; a zone that only some have is left out.

    Args:
        table: for the sentences.
        name: of the column.
        cells: of the column.
        order: whether the day or the month comes first in dates such as 5/3/2024; None to find it out.

    Raises:
        DataError: a cell is no time, or it is open whether its day or its month comes first.
    """
    told = [cell for cell in cells if cell.casefold() not in _ABSENT]
    order = order or _order(table, name, told)
    zoned = all(map(_ZONED.fullmatch, told))
    known = cache(lambda cell: _time(cell, order, zoned=zoned))
    times = []
    for line, cell in zip(table.lines, cells, strict=True):
        time = "" if cell.casefold() in _ABSENT else known(cell)
        if time is None:
            raise DataError(
                "Times must be written like 2024-03-05, 2024-03-05 10:22 or seconds since 1970. Line {line} "
                "of {path} has {value} in column {name}. Correct it, or pass `--time none`.",
                line=line,
                path=table.source,
                value=repr(cell),
                name=name,
            )
        times.append(time)
    return times


def _order(table: DataTable, name: str, cells: Sequence[str]) -> Order:
    """Return whether days come first, told by numbers that are no month.

    Raises:
        DataError: no number tells it, or they contradict each other.
    """
    dates = {cell: match for cell in cells if (match := _NUMBERS.fullmatch(cell))}
    days = next((cell for cell, match in dates.items() if int(match[1]) > 12), None)
    months = next((cell for cell, match in dates.items() if int(match[2]) > 12), None)
    if days and months:
        raise DataError(
            "All dates of a column must be written alike. In column {name} of {path}, {days} begins with the "
            "day and {months} with the month. Write them like 2024-03-05.",
            name=name,
            path=table.source,
            days=days,
            months=months,
        )
    if not days and not months and any(m[1] != m[2] for m in dates.values()):
        raise DataError(
            "It must be known whether dates begin with the day or the month. Column {name} of {path} has "
            "{example}, and no date tells. Pass `--time {name}:dmy` for days first or `--time {name}:mdy` "
            "for months first, or write them like 2024-03-05.",
            name=name,
            path=table.source,
            example=next(iter(dates)),
        )
    return "mdy" if months else "dmy"


def _time(cell: str, order: Order, *, zoned: bool) -> str | None:
    """Return a cell's time; None where it is none."""
    if match := _EPOCH.fullmatch(cell):
        seconds = int(next(group for group in match.groups() if group))
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    if zoned:
        try:
            return read_time(datetime.fromisoformat(cell).astimezone(UTC).isoformat()) or None
        except (ValueError, OverflowError):
            pass
    if time := read_time(cell):
        return time
    for form, parts in ((_NUMBERS, order), *_FORMS):
        if match := form.fullmatch(cell):
            return _of_parts(dict(zip(parts, match.groups(), strict=False)), match.groups()[3:])
    return None


def _of_parts(date: Mapping[str, str], clock: Sequence[str | None]) -> str | None:
    """Return the time of the parts of a date and of a clock; None where it is none.

    Args:
        date: day d, month m, which may be a name, and year y.
        clock: hour, minute, second, and am or pm; None where they are not there.
    """
    hour, minute, second = (int(part or 0) for part in clock[:3])
    if half := clock[3]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    try:
        month = int(date["m"]) if date["m"].isdecimal() else _MONTHS.index(date["m"].casefold()) + 1
        time = datetime(int(date["y"]), month, int(date["d"]), hour, minute, second)
    except ValueError:
        return None
    return time.isoformat() if time.year >= EARLIEST else None
