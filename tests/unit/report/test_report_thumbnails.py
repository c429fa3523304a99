"""Thumbnails of every kind of picture, and placeholders where there is none."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_material import evaluation

from eyebright.report.page import render
from eyebright.report.thumbnails import thumbnails


def picture(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def make(path: Path, mode: str) -> None:
    ramp = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
    if mode == "I;16":
        Image.fromarray(ramp.astype(np.uint16) * 300).save(path)
    else:
        Image.fromarray(ramp).convert("RGB" if mode == "CMYK" else mode).convert(mode).save(path)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        ("RGB", "jpg"),
        ("L", "jpg"),
        ("CMYK", "jpg"),
        ("RGBA", "png"),
        ("LA", "png"),
        ("P", "png"),
        ("1", "png"),
        ("I;16", "png"),
        ("P", "gif"),
        ("F", "tiff"),
        ("RGB", "webp"),
        ("RGB", "bmp"),
    ],
)
def test_each_kind_of_picture_becomes_a_small_one(tmp_path: Path, mode: str, ending: str) -> None:
    make(tmp_path / f"a.{ending}", mode)
    (thumbnail,) = thumbnails(tmp_path, [f"a.{ending}"], 64)
    assert thumbnail.reason == ""
    small = picture(thumbnail.uri)
    assert small.size == (64, 32)
    # The ramp from dark to bright is still to be seen: 16-bit values are not cut off.
    grey = np.asarray(small.convert("L"), dtype=int)
    assert grey[:, -8:].mean() - grey[:, :8].mean() > 80


def test_transparent_places_are_white(tmp_path: Path) -> None:
    half = Image.new("RGBA", (32, 16), (0, 0, 0, 0))
    half.paste((0, 0, 0, 255), (16, 0, 32, 16))
    half.save(tmp_path / "a.png")
    (thumbnail,) = thumbnails(tmp_path, ["a.png"], 64)
    assert np.asarray(picture(thumbnail.uri))[:, :12].min() > 250


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_the_camera_rotation_is_applied_and_its_block_left_behind(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "taken at home"
    Image.new("RGB", (200, 100), "red").save(tmp_path / f"a.{ending}", exif=exif)
    (thumbnail,) = thumbnails(tmp_path, [f"a.{ending}"], 64)
    small = picture(thumbnail.uri)
    assert small.size == (32, 64)
    assert not small.getexif()
    assert b"at home" not in base64.b64decode(thumbnail.uri.partition(",")[2])


def test_what_cannot_be_read_gets_a_placeholder_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    whole = io.BytesIO()
    Image.effect_noise((200, 200), 50).convert("RGB").save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[:2000])
    lost, text, cut = thumbnails(tmp_path, ["gone.jpg", "text.jpg", "cut.jpg"], 64)
    assert lost.reason == "The file no longer exists."
    assert text.reason.startswith("Not a JPEG")
    assert cut.reason.startswith("The image is truncated or damaged")


def test_the_report_appears_without_its_images(tmp_path: Path) -> None:
    content = evaluation(tmp_path, ("cat", "dog"), 10, 2)
    for sample in content.manifest.samples:
        (tmp_path / sample.path).unlink()
    page = render(content)
    assert "<img" not in page
    assert page.count("The file no longer exists.") == 2 + 2 + 8  # confused pairs, mistakes, examples
