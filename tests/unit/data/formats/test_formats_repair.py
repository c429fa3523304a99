"""What every viewer shows is read; what lacks pixels is refused, with the true reason."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from data_images import encoded, photograph
from PIL import Image

from eyebright.data.decode import decode
from eyebright.data.formats.limits import MAX_SIDE
from eyebright.data.header import read_header
from eyebright.errors import ImageError

JPEGS = [{}, {"progressive": True}, {"subsampling": 0, "quality": 95}, {"restart_marker_blocks": 2}]


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("cut", [1, 2])
def test_a_jpeg_may_lack_its_end_marker(options: dict[str, object], cut: int) -> None:
    whole = encoded(photograph(70, 50), "JPEG", **options)
    assert np.array_equal(decode(whole[:-cut]), decode(whole))


@pytest.mark.parametrize("options", JPEGS)
def test_a_jpeg_that_lacks_pixels_is_refused(options: dict[str, object]) -> None:
    whole = encoded(photograph(210, 150), "JPEG", **options)
    for cut in (13, 57, len(whole) // 4):
        with pytest.raises(ImageError, match="truncated or damaged"):
            decode(whole[:-cut])


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("place", ["before the pixels", "after them"])
def test_a_png_may_carry_large_texts_and_profiles(kind: bytes, place: str, tmp_path) -> None:
    packed = zlib.compress(b"A" * 3_000_000)
    body = kind + (b"a\0\x01\0\0\0" if kind == b"iTXt" else b"a\0\0") + packed
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    png = encoded(photograph(30, 20), "PNG")
    at = 33 if place == "before the pixels" else len(png) - 12
    (tmp_path / "a.png").write_bytes(png[:at] + chunk + png[at:])
    assert np.array_equal(decode(tmp_path / "a.png"), decode(png))
    assert read_header(tmp_path / "a.png").width == 30


def test_unsigned_32_bit_tiffs_are_unsigned() -> None:
    values = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    data = bytearray(encoded(Image.fromarray(values.view(np.int32)), "TIFF"))
    entry = data.index(struct.pack("<HHI", 339, 3, 1))  # the sample format, signed as Pillow writes it
    data[entry + 8] = 1
    assert decode(bytes(data))[0, :, 0].tolist() == [0, 128, 255]


def test_kinds_of_tiff_that_pillow_lacks_are_named() -> None:
    data = bytearray(encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"))
    data[data.index(struct.pack("<HHI", 258, 3, 1)) + 8] = 64
    with pytest.raises(ImageError, match="its pixels integers"):
        decode(bytes(data))


def test_16_bit_colours_that_would_be_black_are_refused() -> None:
    def png(top: int) -> bytes:
        pixels = (np.asarray(photograph(8, 6), np.float64) / 255 * top).astype(">u2")
        rows = b"".join(b"\0" + row.tobytes() for row in pixels)
        chunks = [
            (b"IHDR", struct.pack(">IIBBBBB", 8, 6, 16, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows)),
            (b"IEND", b""),
        ]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks
        )

    assert np.abs(decode(png(65535)).astype(int) - np.asarray(photograph(8, 6))).max() <= 1
    with pytest.raises(ImageError, match="16 bits"):
        decode(png(4095))


def test_no_side_may_be_longer_than_a_jpeg_can_have(tmp_path) -> None:
    for name, size in (("high", (1, 1_700_000)), ("wide", (MAX_SIDE + 1, 1))):
        Image.new("L", size).save(tmp_path / f"{name}.png")
        for read in (decode, read_header):
            with pytest.raises(ImageError, match="at most 65535 pixels"):
                read(tmp_path / f"{name}.png")
    assert decode(encoded(Image.new("L", (MAX_SIDE, 1)), "PNG"), min_side=96).shape[:2] == (1, MAX_SIDE)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_far_too_large_images_are_averaged_and_stay_what_they_are(mode: str) -> None:
    tall = photograph(400, 300).resize((5000, 3300)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        tall = Image.fromarray(np.asarray(tall).astype(np.uint16) * 257)
    small = decode(tall, min_side=96)
    assert small.shape[:2] == (413, 625)
    whole = Image.fromarray(decode(tall)).resize((96, 96), Image.Resampling.BILINEAR)
    again = Image.fromarray(small).resize((96, 96), Image.Resampling.BILINEAR)
    assert np.abs(np.asarray(whole, int) - np.asarray(again, int)).mean() < 1
