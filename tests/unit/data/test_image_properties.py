"""What is measured of an image's looks moves with light and focus, and not with its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageEnhance, ImageFilter

from eyebright.data.image_properties import LOOKS, camera, looks


def of(image: Image.Image) -> dict[str, float]:
    return dict(zip(LOOKS, looks(np.asarray(image)).tolist(), strict=True))


def test_light_haze_and_focus_each_move_their_number(photographs: dict[str, Image.Image]) -> None:
    for image in photographs.values():
        plain = of(image)
        dark = of(ImageEnhance.Brightness(image).enhance(0.5))
        assert dark["brightness"] == pytest.approx(plain["brightness"] / 2, rel=0.02)
        pale = of(ImageEnhance.Contrast(image).enhance(0.5))
        assert pale["contrast"] == pytest.approx(plain["contrast"] / 2, rel=0.05)
        assert of(image.filter(ImageFilter.GaussianBlur(4)))["sharpness"] < plain["sharpness"] / 4


def test_a_smaller_copy_looks_alike(photographs: dict[str, Image.Image]) -> None:
    image = photographs["coffee"]
    small = of(image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS))
    plain = of(image)
    assert small["brightness"] == pytest.approx(plain["brightness"], rel=0.02)
    assert small["sharpness"] == pytest.approx(plain["sharpness"], rel=0.35)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (3, 3, 3)])
def test_tiny_images_have_numbers(shape: tuple[int, int, int]) -> None:
    assert looks(np.full(shape, 128, np.uint8)) == pytest.approx([128 / 255, 0, 0], abs=1e-6)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_camera_is_read(photographs: dict[str, Image.Image], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "image"
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon\0", "Canon EOS 5D"
    photographs["cat"].resize((40, 30)).save(path, kind, exif=exif)
    assert camera(path) == "Canon EOS 5D"
    exif[ExifTags.Base.Model] = "EOS 5D"
    photographs["cat"].resize((40, 30)).save(path, kind, exif=exif)
    assert camera(path) == "Canon EOS 5D"


def test_no_camera_is_no_error(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 Exif\0\0 nothing of the kind")
    assert [camera(tmp_path / name) for name in ("a.jpg", "b.jpg", "gone.jpg")] == ["", "", ""]
