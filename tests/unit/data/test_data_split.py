from __future__ import annotations

import random
from collections import Counter, defaultdict
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyebright.data.split import assign
from eyebright.errors import DataError

# Classes a to d; few distinct images, so that many are copies, also across classes.
images = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 40)), max_size=120)
shares = st.sampled_from([(0.2, 0.0), (0.1, 0.1), (0.3, 0.2), (0.0, 0.25), (0.5, 0.4)])
seeds = st.integers(0, 2**40)


def sha(text: object) -> str:
    return blake2b(str(text).encode(), digest_size=16).hexdigest()


def table(rows: list[tuple[str, int]]) -> tuple[list[str], list[str]]:
    return [label for label, _ in rows], [sha(number) for _, number in rows]


@given(images, shares, seeds)
def test_copies_lie_on_one_side(rows: list[tuple[str, int]], parts: tuple[float, float], seed: int) -> None:
    labels, shas = table(rows)
    sides = defaultdict(set)
    for key, split in zip(shas, assign(labels, shas, *parts, seed), strict=True):
        sides[key].add(split)
    assert all(len(found) == 1 for found in sides.values())


@given(images, shares, seeds, st.randoms())
def test_the_order_of_the_files_does_not_matter(
    rows: list[tuple[str, int]], parts: tuple[float, float], seed: int, shuffler: random.Random
) -> None:
    labels, shas = table(rows)
    before = sorted(zip(rows, assign(labels, shas, *parts, seed), strict=True))
    shuffler.shuffle(rows)
    labels, shas = table(rows)
    assert sorted(zip(rows, assign(labels, shas, *parts, seed), strict=True)) == before


@given(st.lists(st.integers(1, 90), min_size=1, max_size=6), shares, seeds)
def test_every_class_gives_its_share(sizes: list[int], parts: tuple[float, float], seed: int) -> None:
    labels = [f"c{c}" for c, size in enumerate(sizes) for _ in range(size)]
    splits = assign(labels, [sha(i) for i in range(len(labels))], *parts, seed)
    found = Counter(zip(labels, splits, strict=True))
    for c, size in enumerate(sizes):
        assert found[f"c{c}", "train"] >= 1
        for split, share in zip(("val", "test"), parts, strict=True):
            count = found[f"c{c}", split]
            assert abs(count - share * size) <= 1
            if share and size >= 3:
                assert count >= 1


@given(images, seeds)
def test_two_images_are_enough_for_training_and_validation(rows: list[tuple[str, int]], seed: int) -> None:
    rows = [(f"{label}{number % 7}", number) for label, number in rows]
    owner = dict.fromkeys(number for _, number in rows)
    for number in owner:
        owner[number] = min(label for label, n in rows if n == number)
    labels, shas = [owner[n] for _, n in rows], [sha(n) for _, n in rows]
    found = defaultdict(set)
    for label, split in zip(labels, assign(labels, shas, 0.2, 0.1, seed), strict=True):
        found[label].add(split)
    for label, splits in found.items():
        groups = len({n for n in owner if owner[n] == label})
        assert ({"train"} if groups == 1 else {"train", "val"}) <= splits


@given(st.lists(st.integers(1, 12), min_size=2, max_size=30), seeds)
def test_groups_of_copies_give_the_nearest_share(groups: list[int], seed: int) -> None:
    shas = [sha(g) for g, size in enumerate(groups) for _ in range(size)]
    held_out = assign(["a"] * len(shas), shas, 0.3, 0.0, seed).count("val")
    assert abs(held_out - 0.3 * len(shas)) <= max(1, max(groups) / 2, min(groups))


def test_another_seed_is_another_split_and_the_same_seed_the_same() -> None:
    labels, shas = ["a"] * 400, [sha(i) for i in range(400)]
    first, second = (assign(labels, shas, 0.5, 0.0, seed) for seed in (0, 1))
    assert first == assign(labels, shas, 0.5, 0.0, 0)
    same = sum(a == b for a, b in zip(first, second, strict=True))
    assert 150 < same < 250, "as many as two independent draws share"


def test_added_images_hardly_move_the_others() -> None:
    labels, shas = ["a", "b"] * 500, [sha(i) for i in range(1000)]
    before = assign(labels, shas, 0.2, 0.1, 0)
    after = assign([*labels, *"ab" * 10], [*shas, *(sha(f"new {i}") for i in range(20))], 0.2, 0.1, 0)
    assert sum(a != b for a, b in zip(before, after, strict=False)) <= 20


@pytest.mark.parametrize("parts", [(1.0, 0.0), (0.5, 0.5), (-0.1, 0.0), (0.0, 1.5)])
def test_shares_that_leave_nothing_are_refused(parts: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="leave images to train on"):
        assign(["a"], [sha(0)], *parts, 0)
