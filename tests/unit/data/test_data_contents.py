"""Copies are known by their pixels, and deep grey gets the white level that the training images need."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from data_images import encoded, photograph, write_classes
from PIL import Image

from eyebright.data.folder import scan, scan_part
from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.text.language import english


def commented(png: bytes, text: bytes = b"edited") -> bytes:
    """The PNG with one more text chunk."""
    body = b"tEXtComment\0" + text
    return png[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + png[33:]


def told(manifest: Manifest) -> str:
    return " ".join(english(w.reason, **w.reason_values) for w in manifest.warnings)


def test_a_comment_makes_no_other_image(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 10, "dog": 10})
    for path in sorted(tmp_path.glob("*/*.png")):
        path.with_name("copy_" + path.name).write_bytes(commented(path.read_bytes()))
    manifest = scan(tmp_path)
    place = {s.path: s.split for s in manifest.samples}
    assert set(place.values()) == {"train", "val"}
    for name, split in place.items():
        assert place[name.replace("copy_", "")] == split
    assert "20 images are exact copies of others" in told(manifest)
    write_manifest(manifest, tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet") == manifest


def test_copies_are_known_across_formats(tmp_path: Path) -> None:
    cut = [photograph().crop((60 * i, 40, 60 * i + 48, 80)) for i in range(4)]
    for label, first in (("cat", 0), ("dog", 2)):
        (tmp_path / label).mkdir()
        for i in (first, first + 1):
            cut[i].save(tmp_path / label / f"{i}.png")
    cut[0].save(tmp_path / "cat" / "same.bmp")
    cut[1].save(tmp_path / "cat" / "same.tif", compression="tiff_lzw")
    cut[2].save(tmp_path / "dog" / "same.webp", lossless=True)
    jpeg = encoded(cut[3], "JPEG")
    (tmp_path / "dog" / "photo.jpg").write_bytes(jpeg)
    Image.open(BytesIO(jpeg)).save(tmp_path / "dog" / "photo.png")
    identity = {s.path: s.identity for s in scan_part(tmp_path).samples}
    for one, other in (
        ("cat/0.png", "cat/same.bmp"),
        ("cat/1.png", "cat/same.tif"),
        ("dog/2.png", "dog/same.webp"),
    ):
        assert identity[one] == identity[other]
    assert identity["dog/photo.jpg"] == identity["dog/photo.png"]
    assert len(set(identity.values())) == 5


def test_jpegs_with_other_metadata_are_copies_and_turned_ones_are_not(tmp_path: Path) -> None:
    picture = photograph(64, 64)
    cases: dict[str, dict[str, object]] = {
        "plain": {},
        "comment": {"comment": b"x"},
        "profile": {"icc_profile": b"p" * 400},
    }
    for make, tag in (("camera", 1), ("turned", 6)):
        exif = Image.Exif()
        exif[0x010F], exif[0x0112] = make, tag
        cases[make] = {"exif": exif}
    (tmp_path / "cat").mkdir()
    for name, options in cases.items():
        (tmp_path / "cat" / f"{name}.jpg").write_bytes(encoded(picture, "JPEG", **options))
    identity = {s.path[4:-4]: s.identity for s in scan_part(tmp_path).samples}
    assert identity["plain"] == identity["comment"] == identity["profile"] == identity["camera"]
    assert identity["turned"] != identity["plain"]


@pytest.mark.parametrize(("bits", "said"), [(16, False), (12, True), (9, True), (8, True)])
def test_the_white_level_is_that_of_the_training_images(bits: int, said: bool, tmp_path: Path) -> None:
    grey = np.asarray(photograph(96, 64).convert("L"), np.float64) / 255
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for i in range(3):
            values = np.roll(grey, 9 * i + (label == "dog"), axis=1) * (2**bits - 1)
            Image.fromarray(values.astype(np.uint16)).save(tmp_path / label / f"{i}.png")
    Image.fromarray((grey * 60).astype(np.uint16)).save(tmp_path / "cat" / "dark.png")
    photograph(32, 32).save(tmp_path / "dog" / "8-bit.png")
    manifest = scan(tmp_path)
    assert manifest.white_level == 2**bits - 1
    assert {s.white_level for s in manifest.samples} == {2**bits - 1, 0}
    assert ("more than 8 bits" in told(manifest)) is said


def test_damaged_images_are_left_to_those_who_tell_of_them(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 5, "dog": 5})
    for kind in ("PNG", "TIFF"):
        deep = encoded(Image.fromarray(np.full((8, 8), 4095, np.uint16)), kind)
        (tmp_path / "cat" / f"whole.{kind.lower()}").write_bytes(deep)
        (tmp_path / "dog" / f"cut.{kind.lower()}").write_bytes(deep[: len(deep) - 60])
        (tmp_path / "dog" / f"8bit.{kind.lower()}").write_bytes(encoded(photograph(8, 8), kind)[:-40])
    assert scan(tmp_path).white_level == 4095
