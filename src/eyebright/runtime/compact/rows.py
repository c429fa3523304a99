"""Rows of one dataclass: a tuple of few; columns of many, of which a row is made when it is asked for.

A million samples as objects take 336 MB and more, as columns some 50. Whoever goes through rows in their
order, or asks for a few, need not know which it is; what picks, orders or changes them is in this module.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, compress, islice, pairwise
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt

from eyebright.runtime.compact.columns import ColumnBuilder, CompactColumn, Places, alike
from eyebright.runtime.machine import release_memory

Row = TypeVar("Row")
Made = TypeVar("Made")

#: Places of rows in their columns (N,).
Order: TypeAlias = npt.NDArray[np.signedinteger]
#: So many rows stay objects: 34 MB of samples, and quicker.
FEW = 100_000
_BLOCK = 4096
_RUN = 100_000
_MERGED = 512  # rows of each run that are in memory while runs are merged


@dataclass(frozen=True, eq=False)
class CompactRows(Sequence[Row], Generic[Row]):
    """Many rows as columns.

    Attributes:
        kind: the rows' class.
        columns: the values of each field, of all rows that there are.
        order: (N,) the places of these rows in the columns; None where they are all, in order.
        length: N.
    """

    kind: type[Row]
    columns: dict[str, CompactColumn]
    order: Order | None
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            chosen = range(self.length)[place]
            if len(chosen) > FEW:
                return self.taken(np.arange(chosen.start, chosen.stop, chosen.step, dtype=np.int32))
            if chosen.step == 1:
                return tuple(self._made(self._places(slice(chosen.start, chosen.stop))))
            return tuple(self._made(self._places(np.array(chosen, np.int64))))
        at = range(self.length)[place]
        return next(self._made(self._places(slice(at, at + 1))))

    def __iter__(self) -> Iterator[Row]:
        for places in self.blocks():
            yield from self._made(places)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | list) or len(self) != len(other):
            return False
        return all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def values(self, *names: str) -> Iterator[Any]:
        """Yield the values of a field, or tuples of those of several, without making rows."""
        if not self.columns.keys() >= set(names):  # a property
            yield from map(attrgetter(*names), self)
            return
        columns = [self.columns[name] for name in names]
        for places in self.blocks():
            if len(columns) == 1:
                yield from columns[0].get(places)
            else:
                yield from zip(*(column.get(places) for column in columns), strict=True)

    def blocks(self) -> Iterator[Places]:
        """Yield the places in the columns of some rows at a time, in the order of the rows."""
        for start in range(0, self.length, _BLOCK):
            yield self._places(slice(start, min(start + _BLOCK, self.length)))

    def taken(self, places: Order) -> CompactRows[Row]:
        """Return the rows at these places."""
        order = places if self.order is None else self.order[places]
        return CompactRows(self.kind, self.columns, order, len(places))

    def _places(self, places: Places) -> Places:
        return places if self.order is None else self.order[places]

    def _made(self, places: Places) -> Iterator[Row]:
        return map(self.kind, *(column.get(places) for column in self.columns.values()))


@dataclass(frozen=True, eq=False)
class CompactValues(Sequence[Made], Generic[Made]):
    """Many values as a column.

    Attributes:
        column: the values.
        length: how many there are.
    """

    column: CompactColumn
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, place: int) -> Made: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Made]: ...

    def __getitem__(self, place: int | slice) -> Made | Sequence[Made]:
        if isinstance(place, slice):
            return self.column.get(place)
        at = range(self.length)[place]
        return cast("Made", self.column.get(slice(at, at + 1))[0])

    def __iter__(self) -> Iterator[Made]:
        for start in range(0, self.length, _BLOCK):
            yield from self.column.get(slice(start, min(start + _BLOCK, self.length)))


@dataclass(frozen=True, eq=False)
class Mapped(Sequence[Made], Generic[Made]):
    """What a function makes of rows, when it is asked for.

    Attributes:
        rows: the rows.
        make: of a row.
    """

    rows: Sequence[Any]
    make: Callable[[Any], Made]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Made: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Made]: ...

    def __getitem__(self, place: int | slice) -> Made | Sequence[Made]:
        if isinstance(place, slice):
            return tuple(map(self.make, self.rows[place]))
        return self.make(self.rows[place])

    def __iter__(self) -> Iterator[Made]:
        return map(self.make, self.rows)


def compact(rows: Iterable[Row]) -> Sequence[Row]:
    """Return rows of one dataclass in little memory; an iterator is never whole in memory."""
    if isinstance(rows, CompactRows) or (isinstance(rows, tuple) and len(rows) <= FEW):
        return cast("Sequence[Row]", rows)
    waiting = iter(rows)
    first = tuple(islice(waiting, FEW + 1))
    if len(first) <= FEW:
        return first
    kind = type(first[0])
    waiting = chain(iter(first), waiting)  # an iterator lets go of what it has given
    del first
    return _built(_blocks(waiting, kind), kind)


def from_columns(kind: type[Row], blocks: Iterable[dict[str, list[Any]]]) -> Sequence[Row]:
    """Return rows of a dataclass, of which ``blocks`` give values of fields; others have their default."""
    given = fields(cast("Any", kind))

    def whole() -> Iterator[dict[str, list[Any]]]:
        for block in blocks:
            count = len(next(iter(block.values())))
            yield {f.name: block.get(f.name) or [f.default] * count for f in given}

    waiting = whole()
    first: list[dict[str, list[Any]]] = []
    known: dict[Any, Any] = {}  # one object a word, not one a row
    count = 0
    for block in waiting:
        first.append({name: [known.setdefault(one, one) for one in some] for name, some in block.items()})
        count += len(next(iter(block.values())))
        if count > FEW:
            waiting = chain(iter(first), waiting)
            del first, known, block
            return _built(waiting, kind)
    return tuple(row for block in first for row in map(kind, *block.values()))


def compact_values(some: Iterable[Made]) -> Sequence[Made]:
    """Return values in little memory; an iterator of many is never whole in memory."""
    waiting = iter(some)
    block = list(islice(waiting, FEW + 1))
    if len(block) <= FEW:
        return block
    builder, length = ColumnBuilder(), 0
    while block:
        builder.add(block)
        length += len(block)
        block = list(islice(waiting, _BLOCK))
    return CompactValues(builder.column(), length)


def changed(rows: Sequence[Row], new: Iterable[Row]) -> Sequence[Row]:
    """Return ``new``, which are N rows like ``rows`` but for a few fields; what is the same is not copied."""
    return _changed(rows, new) if isinstance(rows, CompactRows) else tuple(new)


def remade(rows: Sequence[Any], new: Iterable[Row | None]) -> Sequence[Row]:
    """Return what was made of each row, without those that are None; what a row has already is not copied.

    Args:
        rows: N, of any dataclass.
        new: N, whose fields mostly are those of the row of the same names.
    """
    if isinstance(rows, CompactRows):
        return _remade(rows, new)
    return compact(row for row in new if row is not None)


def picked(rows: Sequence[Row], places: Sequence[int] | Order) -> Sequence[Row]:
    """Return the rows at these places, in their order."""
    if isinstance(rows, CompactRows):
        found = rows.taken(np.asarray(places, np.int32))
        return found if len(found) > FEW else tuple(found)
    return tuple(rows[place] for place in places)


def kept(rows: Sequence[Row], flags: Iterable[bool]) -> Sequence[Row]:
    """Return the rows whose flag is true."""
    if not isinstance(rows, CompactRows):
        return tuple(compress(rows, flags))
    wanted = np.fromiter(flags, np.bool_, len(rows))
    return rows if wanted.all() else picked(rows, np.arange(len(rows), dtype=np.int32)[wanted])


def chained(parts: Iterable[Sequence[Row]]) -> Sequence[Row]:
    """Return all rows of several parts, one behind the other."""
    wanted = [part for part in parts if len(part)]
    if len(wanted) == 1:
        return wanted[0]
    many = [part for part in wanted if isinstance(part, CompactRows) and part.order is not None]
    if wanted and len(many) == len(wanted) and all(part.columns is many[0].columns for part in many):
        order = np.concatenate([part.order for part in many if part.order is not None])
        return CompactRows(many[0].kind, many[0].columns, order, len(order))
    return compact(chain.from_iterable(wanted))


def values(rows: Sequence[Row], *names: str) -> Iterator[Any]:
    """Yield the values of a field, or tuples of those of several fields, of each row."""
    return rows.values(*names) if isinstance(rows, CompactRows) else map(attrgetter(*names), rows)


def ordered(rows: Sequence[Row], *names: str, key: Callable[[Any], Any] | None = None) -> Sequence[Row]:
    """Return rows in the order of some fields, or of what ``key`` makes of them; equal ones stay in order.

    Of many rows, runs are sorted one by one and then merged, so that only those of one run are in memory.
    """
    if not isinstance(rows, CompactRows):
        read = attrgetter(*names)
        return tuple(sorted(rows, key=read if key is None else lambda row: key(read(row))))
    if all(one <= other for one, other in pairwise(_keys(rows, names, key))):
        return rows
    runs: list[Order] = []
    keys = _keys(rows, names, key)
    for start in range(0, len(rows), _RUN):
        some = list(islice(keys, _RUN))
        runs.append(np.array(sorted(range(len(some)), key=some.__getitem__), np.int32) + np.int32(start))
    merged = heapq.merge(*(_merging(rows, run, names, key) for run in runs))
    found = rows.taken(np.fromiter((place for _, place in merged), np.int32, len(rows)))
    release_memory()
    return found


def _keys(rows: CompactRows[Row], names: Sequence[str], key: Callable[[Any], Any] | None) -> Iterator[Any]:
    found = rows.values(*names)
    return found if key is None else map(key, found)


def _merging(
    rows: CompactRows[Row], run: Order, names: Sequence[str], key: Callable[[Any], Any] | None
) -> Iterator[tuple[Any, int]]:
    """Yield the keys of a run, each with its place among all, by which equal ones stay as they are."""
    for start in range(0, len(run), _MERGED):
        places = run[start : start + _MERGED]
        yield from zip(_keys(rows.taken(places), names, key), places.tolist(), strict=True)


def _blocks(rows: Iterable[Row], kind: type[Row]) -> Iterator[dict[str, list[Any]]]:
    """Yield the values of the fields of some rows at a time."""
    names = [field.name for field in fields(cast("Any", kind))]
    waiting = iter(rows)
    while block := list(islice(waiting, _BLOCK)):
        yield {name: list(map(attrgetter(name), block)) for name in names}


def _built(blocks: Iterable[dict[str, list[Any]]], kind: type[Row]) -> CompactRows[Row]:
    builders = {field.name: ColumnBuilder() for field in fields(cast("Any", kind))}
    like, count = _like(kind), 0
    for block in blocks:
        for name, builder in builders.items():
            builder.add(_apart(block, name, like))
        count += len(next(iter(block.values())))
    found = CompactRows(kind, _complete({}, builders, like), None, count)
    release_memory()
    return found


def _changed(rows: CompactRows[Row], new: Iterable[Row]) -> CompactRows[Row]:
    """Return new rows with the columns of ``rows``, but for those in which a value is another."""
    builders: dict[str, ColumnBuilder] = {}
    like = _like(rows.kind)
    pairs = zip(rows.blocks(), _blocks(new, rows.kind), strict=True)
    for done, (places, found) in enumerate(pairs):
        for name, column in rows.columns.items():
            if name not in builders and column.get(places) != found[name]:
                builders[name] = ColumnBuilder()
                for before in islice(rows.blocks(), done):
                    old = {one: rows.columns[one].get(before) for one in (name, like.get(name, name))}
                    builders[name].add(_apart(old, name, like))
            if name in builders:
                builders[name].add(_apart(found, name, like))
    if not builders:
        return rows
    columns = _complete(rows.columns, builders, like, rows.order)
    release_memory()
    return CompactRows(rows.kind, columns, rows.order, len(rows))


def _remade(rows: CompactRows[Any], new: Iterable[Row | None]) -> Sequence[Row]:
    waiting, there = iter(new), np.zeros(len(rows), np.bool_)
    kind: type[Row] | None = None
    like: dict[str, str] = {}
    names: list[str] = []
    shared: dict[str, CompactColumn] = {}
    builders: dict[str, ColumnBuilder] = {}
    for start in range(0, len(rows), _BLOCK):
        block = list(islice(waiting, _BLOCK))
        made = [row for row in block if row is not None]
        there[start : start + len(block)] = [row is not None for row in block]
        if not made:
            continue
        if kind is None:
            kind = type(made[0])
            like, names = _like(kind), [field.name for field in fields(cast("Any", kind))]
            shared = {name: rows.columns[name] for name in names if name in rows.columns.keys() - like.keys()}
            builders = {name: ColumnBuilder() for name in names if name not in shared}
        found, places = next(_blocks(made, kind)), _places_of(rows, there, start)
        for name in [name for name, column in shared.items() if column.get(places) != found[name]]:
            builders[name], column = ColumnBuilder(), shared.pop(name)
            for before in range(0, start, _BLOCK):
                builders[name].add(column.get(_places_of(rows, there, before)))
        for name, builder in builders.items():
            builder.add(_apart(found, name, like))
    if kind is None:
        return ()
    order = (
        rows.order
        if there.all()
        else np.concatenate([_places_of(rows, there, start) for start in range(0, len(rows), _BLOCK)])
    )
    whole = _complete(shared, builders, like, order)
    release_memory()
    columns = {name: whole[name] for name in names}  # a row is made of them in their order
    made_rows = CompactRows(kind, columns, order, len(rows) if order is None else len(order))
    return made_rows if len(made_rows) > FEW else tuple(made_rows)


def _places_of(rows: CompactRows[Any], there: npt.NDArray[np.bool_], start: int) -> Order:
    """Return the places in the columns of a block of rows, which begins with ``start``, that are there."""
    chosen = np.flatnonzero(there[start : start + _BLOCK]).astype(np.int32) + np.int32(start)
    return chosen if rows.order is None else rows.order[chosen]


def _like(kind: type[Any]) -> dict[str, str]:
    """Return which fields of a class mostly repeat another one."""
    found: dict[str, str] = getattr(kind, "MOSTLY_LIKE", {})
    return found


def _apart(found: dict[str, list[Any]], name: str, like: dict[str, str]) -> list[Any]:
    """Return the values of a field; None where they repeat those of the field that they are mostly like."""
    if name not in like:
        return found[name]
    return [None if one == same else one for one, same in zip(found[name], found[like[name]], strict=True)]


def _complete(
    columns: dict[str, CompactColumn],
    builders: dict[str, ColumnBuilder],
    like: dict[str, str],
    order: Order | None = None,
) -> dict[str, CompactColumn]:
    """Return columns with those that were built, whose values are in ``order``, in place of the old ones."""
    built = {name: builders.pop(name).column() for name in list(builders)}
    if order is not None:
        built = {name: _scattered(column, order) for name, column in built.items()}
    whole = {**columns, **built}
    return whole | {name: alike(whole[like[name]], built[name]) for name in like if name in built}


def _scattered(column: CompactColumn, order: Order) -> CompactColumn:
    """Return a column whose values at ``order`` are those of ``column``; the others are never seen."""
    inverse = np.zeros(int(order.max()) + 1, np.int32)
    inverse[order] = np.arange(len(order), dtype=np.int32)
    builder = ColumnBuilder()
    for start in range(0, len(inverse), _BLOCK):
        builder.add(column.get(inverse[start : start + _BLOCK]))
    return builder.column()
