"""Rows as columns are the rows that they were made of, whatever is done to them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from weakref import ref

import pytest

from eyebright.data.manifest import Sample
from eyebright.runtime.compact import columns, rows
from eyebright.runtime.compact.repeats import Repeats
from eyebright.runtime.compact.rows import (
    CompactRows,
    CompactValues,
    Mapped,
    chained,
    changed,
    compact,
    compact_values,
    from_columns,
    kept,
    ordered,
    picked,
    remade,
    values,
)

COUNT = 9000  # more than two blocks


@pytest.fixture(autouse=True)
def _columns_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FEW", 0)
    monkeypatch.setattr(rows, "_RUN", 2000)
    monkeypatch.setattr(columns, "_MOST_WORDS", 100)  # so that all kinds of columns are met


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, ...]:
    draw = random.Random(0)
    found = []
    for number in range(COUNT):
        sha = f"{draw.getrandbits(128):032x}"
        found.append(
            Sample(
                f"photos/{number % 7}/{number:05}.jpg" if number % 3 else f"\ud800{number}.jpg",
                f"class {number % 5}",
                draw.choice(("train", "val")),
                sha,
                draw.randrange(100_000),
                480,
                f"group {number // 2}",
                white_level=65535 if number % 50 == 0 else 0,
                content=sha if number % 40 else f"{number:032x}",
                unit=f"{number:032x}" if number % 9 == 0 else "",
                weight=number / 2 if number % 11 == 0 else 1.0,
                text=f"text {number}" if number % 2 else "",
            )
        )
    return tuple(found)


@pytest.fixture
def many(samples: tuple[Sample, ...]) -> CompactRows[Sample]:
    found = compact(iter(samples))
    assert isinstance(found, CompactRows)
    return found


@dataclass(frozen=True)
class Listed:
    path: str
    label: str
    split: str
    text: str = ""


@pytest.mark.parametrize("kept_order", [True, False])
@pytest.mark.parametrize("every", [1, 5])
def test_what_is_made_of_rows_shares_their_columns(
    samples: tuple[Sample, ...], kept_order: bool, every: int
) -> None:
    """Whether some are left out or not, and whether a field changes at the beginning or late."""
    listed = compact(Listed(s.path, s.label, "", s.text) for s in samples)
    assert isinstance(listed, CompactRows)
    places = list(range(COUNT)) if kept_order else list(range(COUNT))[::-2]
    rows_listed = listed if kept_order else picked(listed, places)
    made = [
        replace(samples[place], text=f"{place}" if n > 5000 else samples[place].text)
        for n, place in enumerate(places)
    ]
    left = [one if n % every == 0 else None for n, one in enumerate(made)]
    found = remade(rows_listed, iter(left))
    assert isinstance(found, CompactRows)
    assert tuple(found) == tuple(one for one in left if one is not None)
    assert [found.columns[name] is listed.columns[name] for name in ("path", "label", "split")] == [
        True,
        True,
        False,
    ]
    assert tuple(picked(found, [7, 3])) == (found[7], found[3])
    assert remade(listed, iter([None] * COUNT)) == ()


def test_rows_come_back_as_they_were(samples: tuple[Sample, ...], many: CompactRows[Sample]) -> None:
    assert tuple(many) == samples
    assert many == samples
    assert many[-1] == samples[-1]
    assert [type(value) for value in (many[11].weight, many[11].width)] == [float, int]
    assert tuple(many[4000:4100]) == samples[4000:4100]
    assert tuple(many[::-7]) == samples[::-7]
    assert compact(many) is many


def test_few_rows_stay_a_tuple(samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FEW", COUNT)
    assert compact(iter(samples)) == samples
    assert type(compact(iter(samples))) is tuple
    assert type(compact_values(range(10))) is list


def test_columns_make_rows_with_defaults(samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch):
    names = ("path", "label", "split", "sha", "width", "height")
    blocks = [
        {name: [getattr(s, name) for s in samples[start : start + 1000]] for name in names}
        for start in range(0, COUNT, 1000)
    ]
    expected = tuple(Sample(s.path, s.label, s.split, s.sha, s.width, s.height) for s in samples)
    found = from_columns(Sample, blocks)
    assert isinstance(found, CompactRows)
    assert found == expected
    monkeypatch.setattr(rows, "FEW", COUNT)
    assert from_columns(Sample, blocks) == expected
    assert from_columns(Sample, []) == ()


@pytest.mark.parametrize("names", [("sha",), ("label", "group", "path"), ("width",)])
def test_the_order_is_that_of_sorted(
    samples: tuple[Sample, ...], many: CompactRows[Sample], names: Sequence[str]
) -> None:
    expected = tuple(sorted(samples, key=lambda s: [getattr(s, name) for name in names]))
    assert tuple(ordered(many, *names)) == expected
    assert ordered(samples, *names) == expected


def test_equal_keys_stay_in_their_order(samples: tuple[Sample, ...], many: CompactRows[Sample]) -> None:
    expected = tuple(sorted(samples, key=lambda s: s.width % 10))
    assert tuple(ordered(many, "width", key=lambda width: width % 10)) == expected
    by_path = ordered(many, "path")
    assert ordered(by_path, "path") is by_path


def test_what_is_picked_and_kept(samples: tuple[Sample, ...], many: CompactRows[Sample]) -> None:
    backwards = ordered(many, "sha")
    expected = tuple(sorted(samples, key=lambda s: s.sha))
    places = list(range(0, COUNT, 3))
    assert tuple(picked(backwards, places)) == expected[::3] == picked(expected, places)
    val = kept(backwards, (split == "val" for split in values(backwards, "split")))
    assert tuple(val) == tuple(s for s in expected if s.split == "val")
    assert kept(many, [True] * COUNT) is many
    train = kept(backwards, (split == "train" for split in values(backwards, "split")))
    assert tuple(chained([val, train])) == (*val, *train)
    assert chained([val, train]).columns is many.columns  # type: ignore[attr-defined]
    assert tuple(chained([many, val])) == (*samples, *val)
    assert tuple(chained([])) == ()


def test_values_are_read_without_rows(samples: tuple[Sample, ...], many: CompactRows[Sample]) -> None:
    assert list(values(many, "path")) == [s.path for s in samples]
    assert list(values(many, "sha", "weight")) == [(s.sha, s.weight) for s in samples]
    assert list(values(many, "identity")) == [s.identity for s in samples]  # a property


@pytest.mark.parametrize("by", ["", "sha"])
def test_what_changed_is_new_and_all_else_is_shared(
    samples: tuple[Sample, ...], many: CompactRows[Sample], by: str
) -> None:
    before = ordered(many, by) if by else many
    plain = tuple(sorted(samples, key=lambda s: s.sha)) if by else samples

    def edited(sample: Sample) -> Sample:
        return replace(sample, split="test", content="", unit="x") if sample.width % 2 else sample

    after = changed(before, map(edited, before))
    assert isinstance(after, CompactRows)
    assert tuple(after) == tuple(map(edited, plain)) == changed(plain, map(edited, plain))
    assert tuple(before) == plain
    assert all(after.columns[name] is many.columns[name] for name in ("path", "sha", "label", "width"))
    assert changed(before, before) is before
    moved = changed(after, (replace(s, path=f"new/{s.path}", sha=f"{s.width:032x}") for s in after))
    assert tuple(moved) == tuple(replace(s, path=f"new/{s.path}", sha=f"{s.width:032x}") for s in after)


@dataclass(frozen=True)
class Odd:
    """Values of every kind, and of several in one field."""

    number: object
    mixed: object


def test_any_values_come_back() -> None:
    given = tuple(Odd(2**70 + i if i > 500 else i, (i, str(i), None, float(i))[i % 4]) for i in range(COUNT))
    found = tuple(compact(iter(given)))
    assert found == given
    assert [type(row.mixed) for row in found] == [type(row.mixed) for row in given]
    assert compact_values([1, 1.0, True] * 10)[1].__class__ is float


def test_values_and_what_is_made_of_them() -> None:
    texts = [f"text {i}" for i in range(COUNT)]
    found = compact_values(iter(texts))
    assert isinstance(found, CompactValues)
    assert list(found) == texts
    assert (found[7], list(found[5:8]), len(found)) == (texts[7], texts[5:8], COUNT)
    made = Mapped(found, len)
    assert (made[100], made[8:11], list(made)) == (8, (6, 6, 7), list(map(len, texts)))


def test_texts_of_more_than_four_bytes_can_count_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text {i}" for i in range(COUNT)]
    monkeypatch.setattr(columns, "_MOST_BYTES", 5 * COUNT)
    found = compact_values(iter(texts))
    assert list(found) == texts
    assert found[COUNT - 1] == texts[-1]


@dataclass(frozen=True)
class Plain:
    """A row that can be asked whether it is still there."""

    number: int


def test_the_first_rows_are_let_go_while_others_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FEW", 10)
    first: list[ref[Plain]] = []

    def given() -> Iterator[Plain]:
        for number in range(COUNT):
            row = Plain(number)
            if not number:
                first.append(ref(row))
            yield row
        assert first[0]() is None

    assert [row.number for row in compact(given())] == list(range(COUNT))


def test_repeats_know_what_comes_more_than_once() -> None:
    found = Repeats(iter("abcbda"), 6)
    assert [letter in found for letter in "abcd"] == [True, True, False, False]
    assert found
    assert not Repeats(iter("abc"), 3)
    assert not Repeats(iter(()), 0)
