from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from data_images import photograph
from PIL import Image

from eyebright.data.decode import to_square
from eyebright.data.header import hash_bytes
from eyebright.data.views import _draw, view


def test_view_0_is_the_plain_image_and_view_1_its_mirror_image() -> None:
    image = photograph()
    plain = view(image, 64, 0, "x", interpolation="bicubic", crop=0.875)
    assert np.array_equal(plain, to_square(image, 64, interpolation="bicubic", crop=0.875))
    mirrored = view(image, 64, 1, "x", interpolation="bicubic", crop=0.875)
    assert np.array_equal(mirrored[:, ::-1], plain)
    assert mirrored.flags.c_contiguous


def test_pillow_images_and_arrays_give_the_same_view() -> None:
    image = photograph()
    for index in range(4):
        assert np.array_equal(view(image, 48, index, "x"), view(np.asarray(image), 48, index, "x"))


def test_views_differ_by_index_and_by_image() -> None:
    image = photograph()
    seen = {view(image, 32, index, text).tobytes() for index in range(2, 8) for text in "xy"}
    assert len(seen) == 12


def test_another_process_draws_the_same_view() -> None:
    code = (
        "import numpy as np\n"
        "from eyebright.data.header import hash_bytes\n"
        "from eyebright.data.views import view\n"
        "image = np.arange(30 * 40 * 3).reshape(30, 40, 3).astype(np.uint8)\n"
        "print(hash_bytes(b''.join(view(image, 16, i, 'hash').tobytes() for i in range(6))))\n"
    )
    image = np.arange(30 * 40 * 3).reshape(30, 40, 3).astype(np.uint8)
    here = hash_bytes(b"".join(view(image, 16, i, "hash").tobytes() for i in range(6)))
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_crops_lie_inside_and_keep_area_and_stretch() -> None:
    areas, flips = [], []
    for i in range(3000):
        (left, top, right, bottom), mirrored = _draw(640, 427, f"{i}:2")
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 427
        w, h = (right - left) / 640, (bottom - top) / 427
        assert 0.74 < w / h < 1.34
        areas.append(w * h)
        flips.append(mirrored)
    assert min(areas) > 0.399
    assert min(areas) < 0.45
    assert max(areas) > 0.95
    assert np.mean(areas) == pytest.approx(0.7, abs=0.02)
    assert np.mean(flips) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (900, 3)])
def test_tiny_and_long_images_have_views(size: tuple[int, int]) -> None:
    for index in range(6):
        assert view(Image.new("RGB", size, (9, 8, 7)), 16, index, "x").tolist() == [[[9, 8, 7]] * 16] * 16
