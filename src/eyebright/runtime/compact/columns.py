"""The values of one field of many rows, held by what they are: words that repeat, hashes, numbers, texts.

Python's own objects take 50 bytes and more each; here a hash takes 16, and a word that repeats 0 to 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.types import UInt8Array

#: Places of rows: all from one to another, or chosen ones (n,).
Places: TypeAlias = slice | npt.NDArray[np.signedinteger]

_MOST_WORDS = 65_536
_AT_ONCE = 4096
_MOST_BYTES = 2**32 - 1  # of texts whose places are known by four bytes
_HEX = 32
_HEX_DIGITS = frozenset("0123456789abcdef")
# Names of files with bytes that are no UTF-8 hold surrogates.
_CODING, _ERRORS = "utf-8", "surrogatepass"


class CompactColumn(Protocol):
    """Values of N rows."""

    def get(self, places: Places) -> list[Any]:
        """Return the values at these places."""


class _Growing:
    """Numbers that are added to, in one piece: of many small ones, memory that is let go stays in use."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._dtype, self._data = np.dtype(dtype), bytearray()

    def add(self, numbers: npt.NDArray[Any]) -> None:
        self._data += numbers.astype(self._dtype, copy=False).tobytes()

    def wider(self) -> _Growing:
        """Return these numbers, with room for those of 64 bits."""
        if self._dtype == np.uint64:
            return self
        found = _Growing(np.uint64)
        found.add(self.whole())
        return found

    def whole(self) -> npt.NDArray[Any]:
        """Return all numbers (N,), after which none can be added."""
        return np.frombuffer(self._data, self._dtype)


@dataclass(frozen=True)
class _Constant:
    """One value, of all rows."""

    value: Any
    count: int

    def get(self, places: Places) -> list[Any]:
        count = len(range(self.count)[places]) if isinstance(places, slice) else len(places)
        return [self.value] * count


@dataclass(frozen=True)
class _Words:
    """Few values that repeat, by their numbers (N,)."""

    words: Sequence[Any]
    numbers: npt.NDArray[np.unsignedinteger]

    def get(self, places: Places) -> list[Any]:
        words = self.words
        return [words[number] for number in self.numbers[places].tolist()]


@dataclass(frozen=True)
class _Numbers:
    """Integers, or floats (N,)."""

    numbers: npt.NDArray[Any]

    def get(self, places: Places) -> list[Any]:
        found: list[Any] = self.numbers[places].tolist()
        return found


@dataclass(frozen=True)
class _Hashes:
    """Texts of 32 hexadecimal digits, as bytes (N, 16)."""

    rows: UInt8Array

    def get(self, places: Places) -> list[str]:
        digits = self.rows[places].tobytes().hex()
        return [digits[start : start + _HEX] for start in range(0, len(digits), _HEX)]


@dataclass(frozen=True)
class _Texts:
    """Texts one behind the other, and where each begins (N + 1,)."""

    data: bytearray
    starts: npt.NDArray[np.unsignedinteger]

    def get(self, places: Places) -> list[str]:
        if isinstance(places, slice):
            firsts, ends = self.starts[:-1][places], self.starts[1:][places]
        else:
            firsts, ends = self.starts[places], self.starts[places + 1]
        data = self.data
        bounds = zip(firsts.tolist(), ends.tolist(), strict=True)
        return [data[first:end].decode(_CODING, _ERRORS) for first, end in bounds]


@dataclass(frozen=True)
class _Joined:
    """Texts in two parts, of which the first ones repeat: folders, and names in them."""

    firsts: CompactColumn
    seconds: CompactColumn

    def get(self, places: Places) -> list[str]:
        return [a + b for a, b in zip(self.firsts.get(places), self.seconds.get(places), strict=True)]


@dataclass(frozen=True)
class _Alike:
    """Values that mostly are those of another column: ``others`` has None where they are."""

    column: CompactColumn
    others: CompactColumn

    def get(self, places: Places) -> list[Any]:
        pairs = zip(self.column.get(places), self.others.get(places), strict=True)
        return [same if other is None else other for same, other in pairs]


@dataclass(frozen=True)
class _Objects:
    """Values of any other kind, as they are."""

    values: list[Any]

    def get(self, places: Places) -> list[Any]:
        if isinstance(places, slice):
            return self.values[places]
        return [self.values[place] for place in places.tolist()]


class ColumnBuilder:
    """Takes values block by block, and returns the smallest column that gives them back."""

    def __init__(self, *, divided: bool = True) -> None:
        self._divided = divided  # whether texts may be parted into folders and names
        self._numbers: dict[Any, int] = {}
        self._words: list[Any] = []
        self._found = _Growing(np.uint16)
        self._many: _ManyValues | None = None

    def add(self, values: Sequence[Any]) -> None:
        """Take the next values."""
        if self._many is not None:
            self._many = self._many.added(values)
            return
        keys = [value if value.__class__ is str else (value.__class__, value) for value in values]
        for key, value in zip(keys, values, strict=True):
            if key not in self._numbers:
                self._numbers[key] = len(self._words)
                self._words.append(value)
        if len(self._words) <= _MOST_WORDS:
            found = (self._numbers[key] for key in keys)
            self._found.add(np.fromiter(found, np.uint16, len(keys)))
            return
        before = _Words(self._words, self._found.whole())
        self._numbers, self._words, self._found = {}, [], _Growing(np.uint16)
        self._many = _many(before.words, divided=self._divided)
        for start in range(0, len(before.numbers), _AT_ONCE):
            self._many = self._many.added(before.get(slice(start, start + _AT_ONCE)))
        self._many = self._many.added(values)

    def column(self) -> CompactColumn:
        """Return the column of all values that were added; the builder is used up."""
        if self._many is not None:
            return self._many.column()
        numbers = self._found.whole()
        if len(self._words) == 1:
            return _Constant(self._words[0], len(numbers))
        return _Words(self._words, numbers if len(self._words) > 256 else numbers.astype(np.uint8))


def alike(column: CompactColumn, others: CompactColumn) -> CompactColumn:
    """Return a column that has the values of ``column`` where those of ``others`` are None."""
    return _Alike(column, others)


class _ManyValues(Protocol):
    """More values than are counted as words."""

    def added(self, values: Sequence[Any]) -> _ManyValues:
        """Take the next values; return what can hold them all."""

    def column(self) -> CompactColumn:
        """Return the column."""


def _many(values: Sequence[Any], *, divided: bool) -> _ManyValues:
    kinds = {value.__class__ for value in values}
    if kinds == {str}:
        return _ManyHashes(divided=divided)
    if kinds in ({int}, {float}):
        return _ManyNumbers(kinds.pop())
    return _ManyObjects([])


class _ManyHashes:
    def __init__(self, *, divided: bool) -> None:
        self._divided, self._rows = divided, bytearray()

    def added(self, values: Sequence[Any]) -> _ManyValues:
        digits = "".join(values) if all(value.__class__ is str for value in values) else "-"
        if _HEX_DIGITS.issuperset(digits) and all(len(value) == _HEX for value in values):
            self._rows += bytes.fromhex(digits)
            return self
        other: _ManyValues = _ManyPaths() if self._divided else _ManyTexts()
        known = _Hashes(np.frombuffer(self._rows, np.uint8).reshape(-1, _HEX // 2))
        return other.added(known.get(slice(None))).added(values)

    def column(self) -> CompactColumn:
        return _Hashes(np.frombuffer(self._rows, np.uint8).reshape(-1, _HEX // 2))


class _ManyNumbers:
    def __init__(self, kind: type) -> None:
        self._kind, self._dtype = kind, np.int64 if kind is int else np.float64
        self._numbers = _Growing(self._dtype)

    def added(self, values: Sequence[Any]) -> _ManyValues:
        try:
            if any(value.__class__ is not self._kind for value in values):
                raise OverflowError
            self._numbers.add(np.array(values, self._dtype))
        except OverflowError:  # or an integer of more than 64 bits
            return _ManyObjects(self._numbers.whole().tolist()).added(values)
        return self

    def column(self) -> CompactColumn:
        return _Numbers(self._numbers.whole())


class _ManyTexts:
    def __init__(self) -> None:
        self._data = bytearray()
        self._starts = _Growing(np.uint32)
        self._starts.add(np.zeros(1))

    def added(self, values: Sequence[Any]) -> _ManyValues:
        if any(value.__class__ is not str for value in values):
            return _ManyObjects(self.column().get(slice(None))).added(values)
        coded = [value.encode(_CODING, _ERRORS) for value in values]
        ends = len(self._data) + np.cumsum(np.fromiter(map(len, coded), np.int64, len(coded)))
        self._data += b"".join(coded)
        if len(self._data) > _MOST_BYTES:
            self._starts = self._starts.wider()
        self._starts.add(ends)
        return self

    def column(self) -> CompactColumn:
        return _Texts(self._data, self._starts.whole())


class _ManyPaths:
    """Texts, parted behind their last slash."""

    def __init__(self) -> None:
        self._firsts = ColumnBuilder(divided=False)
        self._seconds: _ManyValues = _ManyTexts()
        self._any = False

    def added(self, values: Sequence[Any]) -> _ManyValues:
        if any(value.__class__ is not str for value in values):
            known = self.column().get(slice(None)) if self._any else []
            return _ManyObjects(known).added(values)
        if not values:
            return self
        parted = [value.rpartition("/") for value in values]
        self._firsts.add([first + slash for first, slash, _ in parted])
        self._seconds = self._seconds.added([second for _, _, second in parted])
        self._any = True
        return self

    def column(self) -> CompactColumn:
        return _Joined(self._firsts.column(), self._seconds.column())


class _ManyObjects:
    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def added(self, values: Sequence[Any]) -> _ManyValues:
        self._values += values
        return self

    def column(self) -> CompactColumn:
        return _Objects(self._values)
