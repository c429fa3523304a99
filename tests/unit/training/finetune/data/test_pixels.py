"""Squares of pixels: what is read is what the sealed model sees, and unreadable images are left out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from data_material import pixels_of, samples_of

from eyebright.data.decode import load_square
from eyebright.data.folder import scan
from eyebright.errors import NotFoundError, StorageError
from eyebright.training.cache import store as cache_module
from eyebright.training.cache.usage import usage
from eyebright.training.finetune.data.pixels import open_pixels


@pytest.fixture
def photos(textile: Path, tmp_path: Path) -> Path:
    """Its own copy of six photographs."""
    for sample in samples_of(textile, "train", 6):
        target = tmp_path / "photos" / sample.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(textile / sample.path, target)
    return tmp_path / "photos"


@pytest.fixture(params=["stored", "decoded"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "cache" if request.param == "stored" else None


def test_rows_are_the_squares_in_the_order_asked_for(photos: Path, cache: Path | None) -> None:
    samples = list(scan(photos).samples)
    places = np.array([4, 0, 5, 0, 2])
    rows = pixels_of(photos, samples, 48, cache).rows(places)
    expected = [load_square(photos / samples[place].path, 48, "bicubic") for place in places]
    np.testing.assert_array_equal(rows, np.stack(expected))


def test_no_places_give_no_rows(photos: Path, cache: Path | None) -> None:
    pixels = pixels_of(photos, list(scan(photos).samples), 48, cache)
    assert pixels.rows(np.array([], np.int64)).shape == (0, 48, 48, 3)


def test_what_was_decoded_once_is_not_decoded_again(photos: Path, tmp_path: Path) -> None:
    samples = list(scan(photos).samples)
    first = pixels_of(photos, samples, 48, tmp_path / "cache").rows(np.arange(6))
    shutil.rmtree(photos)
    np.testing.assert_array_equal(
        pixels_of(photos, samples, 48, tmp_path / "cache").rows(np.arange(6)), first
    )


@pytest.mark.parametrize(("size", "how"), [(40, "bicubic"), (48, "bilinear")])
def test_another_size_or_interpolation_is_kept_apart(photos: Path, tmp_path: Path, size: int, how) -> None:
    samples = list(scan(photos).samples)
    pixels_of(photos, samples, 48, tmp_path)
    other, _ = open_pixels(photos, samples, size, how, tmp_path)
    expected = load_square(photos / samples[3].path, size, how)
    np.testing.assert_array_equal(other.rows(np.array([3]))[0], expected)


def test_unreadable_images_are_left_out_and_told(photos: Path, cache: Path | None) -> None:
    samples = list(scan(photos).samples)
    whole = (photos / samples[1].path).read_bytes()
    (photos / samples[1].path).write_bytes(whole[: len(whole) // 2])
    (photos / samples[4].path).unlink()
    pixels, skipped = open_pixels(photos, samples, 48, "bicubic", cache)
    assert [s.path for s in skipped] == [samples[1].path, samples[4].path]
    assert all(s.reason for s in skipped)
    assert list(pixels.samples) == [samples[n] for n in (0, 2, 3, 5)]
    expected = load_square(photos / samples[5].path, 48, "bicubic")
    np.testing.assert_array_equal(pixels.rows(np.array([3]))[0], expected)


def test_equal_images_are_kept_once(photos: Path, tmp_path: Path) -> None:
    samples = list(scan(photos).samples)
    twice = [*samples, replace(samples[2], path=f"copies/{Path(samples[2].path).name}")]
    (photos / "copies").mkdir()
    shutil.copyfile(photos / samples[2].path, photos / twice[-1].path)
    rows = pixels_of(photos, twice, 48, tmp_path / "cache").rows(np.array([2, 6]))
    np.testing.assert_array_equal(rows[0], rows[1])
    assert [s.images for s in usage(tmp_path / "cache")] == [6]


def test_the_cache_says_what_it_keeps(photos: Path, tmp_path: Path) -> None:
    pixels_of(photos, list(scan(photos).samples), 48, tmp_path / "cache")
    (kept,) = usage(tmp_path / "cache")
    assert kept.name == "pixels 48 px, 6,912 x uint8, view 0"
    assert 6 * 6912 < kept.bytes < 6 * 6912 + 1000


def test_an_image_that_goes_meanwhile_is_an_error(photos: Path) -> None:
    samples = list(scan(photos).samples)
    pixels = pixels_of(photos, samples, 48, None)
    (photos / samples[2].path).unlink()
    with pytest.raises(NotFoundError, match="does not"):
        pixels.rows(np.array([2]))


def test_a_disk_without_room_is_told_before_anything_is_decoded(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "disk_free_bytes", lambda path: 6 * 6912 - 1)
    with pytest.raises(StorageError, match=r"needs 0\.00 GB.*EYEBRIGHT_CACHE"):
        pixels_of(photos, list(scan(photos).samples), 48, tmp_path / "cache")
    monkeypatch.setattr(cache_module, "disk_free_bytes", lambda path: 6 * 6912)
    pixels_of(photos, list(scan(photos).samples), 48, tmp_path / "cache")


def test_a_file_that_changed_after_its_hash_was_taken_is_left_out(photos: Path, cache: Path | None) -> None:
    samples = list(scan(photos).samples)
    (photos / samples[0].path).write_bytes((photos / samples[1].path).read_bytes())
    pixels, skipped = open_pixels(photos, samples, 48, "bicubic", cache)
    assert [s.path for s in skipped] == [samples[0].path]
    assert list(pixels.samples) == samples[1:]
