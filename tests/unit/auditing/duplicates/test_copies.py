"""Of very many pairs only those that look most alike are registered; copies are among them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eyebright.auditing.duplicates import copies as module
from eyebright.auditing.duplicates.proposing import Proposer, pictures_of
from eyebright.auditing.fingerprint import descriptors
from eyebright.auditing.material import PlantedCopies
from eyebright.auditing.planting import planted_copy
from eyebright.auditing.records import Records, record

TILES, COPIED = 60, 10


@pytest.fixture(scope="module")
def pictures(scenes: list[Image.Image]) -> list[Image.Image]:
    """Pieces of two photographs, and compressed copies of the first of them."""
    random = np.random.default_rng(0)
    found = []
    for number in range(TILES):
        scene = scenes[number % 2]
        x, y = (int(random.integers(0, side - 128)) for side in scene.size)
        found.append(scene.crop((x, y, x + 128, y + 128)))
    return [*found, *(planted_copy(picture, "jpeg", str(n)) for n, picture in enumerate(found[:COPIED]))]


@pytest.fixture(scope="module")
def shown(pictures: list[Image.Image]) -> Records:
    return np.stack([record(picture) for picture in pictures])


def rows(shown: Records) -> np.ndarray:
    return descriptors(shown["print"].astype(np.float32))


def test_pairs_are_left_once_hardly_any_match(shown: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    proposer = Proposer(pictures_of(shown.__getitem__, rows(shown)), np.arange(len(shown)))
    every, _, look = proposer.pairs()
    assert (np.diff(look) <= 0).all()
    monkeypatch.setattr(module, "_FIRST_PORTION", 8)
    monkeypatch.setattr(module, "_PORTION", 8)
    first, second, found, least = module._own_pairs(proposer)
    assert COPIED < len(first) < len(every) / 2
    assert least == look[len(first)]
    assert len(found.score) == len(first)
    registered = set(zip(first.tolist(), second.tolist(), strict=True))
    assert registered >= {(number, TILES + number) for number in range(COPIED)}


def test_planted_copies_meet_their_pictures(shown: Records) -> None:
    tiles, planted = shown[:TILES], shown[TILES:]
    proposer = Proposer(pictures_of(tiles.__getitem__, rows(tiles)), np.arange(TILES))
    copies = PlantedCopies(np.arange(COPIED), rows(planted), planted)
    copy, picture = proposer.planted_pairs(copies, copies.sources)
    assert set(range(COPIED)) <= set(copy[copy == picture].tolist())
    assert len(set(zip(copy.tolist(), picture.tolist(), strict=True))) == len(copy)
