from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from data_images import encoded, photograph, pixels
from PIL import Image, ImageOps, ImageSequence

from eyebright.data.decode import decode, load_square, open_rgb, to_square
from eyebright.data.formats.limits import MAX_PIXELS
from eyebright.data.header import read_header
from eyebright.errors import ImageError, NotFoundError

LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_their_pixels(kind: str, tmp_path: Path) -> None:
    array = pixels(0, 16)
    data = encoded(Image.fromarray(array), kind, **LOSSLESS[kind])
    (tmp_path / "a file").write_bytes(data)
    for source in (data, tmp_path / "a file", str(tmp_path / "a file"), Image.open(BytesIO(data)), array):
        assert np.array_equal(decode(source), array)


def test_jpeg_is_what_pillow_decodes() -> None:
    data = encoded(photograph(), "JPEG")
    assert np.array_equal(decode(data), np.asarray(Image.open(BytesIO(data))))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotations_are_undone(kind: str, orientation: int, tmp_path: Path) -> None:
    upright = Image.new("RGB", (32, 16), "red")
    upright.paste("blue", (0, 0, 16, 8))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "image"
    path.write_bytes(
        encoded(stored, kind, exif=exif, **LOSSLESS.get(kind, {"quality": 100, "subsampling": 0}))
    )
    assert np.abs(decode(path).astype(int) - np.asarray(upright)).max() < 8
    assert np.array_equal(decode(Image.open(path)), decode(path))
    header = read_header(path)
    assert (header.width, header.height) == (32, 16)


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    expected = np.rint(ramp / 257).astype(np.uint8)
    for kind in ("PNG", "TIFF"):
        found = decode(encoded(Image.fromarray(ramp), kind))
        assert np.array_equal(found, np.repeat(expected[:, :, None], 3, axis=2))
    assert np.array_equal(decode(Image.fromarray(ramp.astype(np.int32)))[:, :, 0], expected)


def test_16_bit_grey_is_white_at_its_white_level() -> None:
    dark = Image.fromarray(np.array([[0, 2047, 4095]], np.uint16))
    assert decode(dark)[0, :, 0].tolist() == [0, 127, 255]  # by itself, it has 12 bits
    assert decode(dark, white_level=65535)[0, :, 0].tolist() == [0, 8, 16]
    bright = Image.fromarray(np.full((2, 2), 60000, np.uint16))
    with pytest.raises(ImageError, match="at most 4095"):
        decode(bright, white_level=4095)
    one_hot = np.zeros((20, 20), np.uint16)
    one_hot[3, 3] = 60000  # one hot pixel is no other scale
    assert decode(Image.fromarray(one_hot), white_level=4095).max() == 255


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0, 100, 255], [0, 100, 255]),
        ([0, 257, 65535], [0, 1, 255]),
        ([-2, 0, 2], [0, 128, 255]),
    ],
)
def test_floats_are_read_on_the_range_they_fit(values: list[float], expected: list[int]) -> None:
    data = encoded(Image.fromarray(np.array([values], np.float32)), "TIFF")
    assert decode(data)[0, :, 0].tolist() == expected


def test_floats_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ImageError, match="finite"):
        decode(Image.fromarray(np.array([[0.0, np.nan]], np.float32)))


def test_transparency_lies_on_white() -> None:
    rgba = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    rgba.putpixel((1, 0), (200, 0, 0, 128))
    expected = [[[255, 255, 255], [227, 127, 127]]]
    for source in (
        encoded(rgba, "PNG"),
        encoded(rgba, "WEBP", lossless=True, exact=True),
        rgba,
        np.asarray(rgba),
    ):
        assert np.abs(decode(source).astype(int) - expected).max() <= 1
    grey = Image.new("LA", (2, 1), (0, 0))
    grey.putpixel((1, 0), (7, 255))
    assert decode(encoded(grey, "PNG")).tolist() == [[[255] * 3, [7] * 3]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_where_all_is_transparent_the_colours_are_meant(mode: str) -> None:
    picture = photograph(64, 48).convert(mode[:-1])
    clear = picture.copy()
    clear.putalpha(0)
    assert np.array_equal(decode(encoded(clear, "PNG")), decode(picture))


def test_palette_and_colour_key_transparency() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    assert decode(encoded(palette, "PNG")).tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert decode(encoded(palette, "PNG", transparency=0)).tolist() == [[[255] * 3, [40, 50, 60]]]
    assert decode(encoded(palette, "GIF", transparency=1)).tolist() == [[[10, 20, 30], [255] * 3]]
    two = Image.new("RGB", (2, 1), (1, 2, 3))
    two.putpixel((1, 0), (4, 5, 6))
    assert decode(encoded(two, "PNG", transparency=(1, 2, 3))).tolist() == [[[255] * 3, [4, 5, 6]]]


def test_one_bit_grey_and_grey_arrays() -> None:
    assert decode(encoded(Image.new("1", (2, 2), 1), "PNG")).tolist() == [[[255] * 3] * 2] * 2
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    for source in (grey, grey[:, :, None], Image.fromarray(grey), encoded(Image.fromarray(grey), "BMP")):
        assert np.array_equal(decode(source), np.stack([grey] * 3, axis=-1))


def test_cmyk_from_jpeg_and_tiff_has_the_right_sense() -> None:
    cmyk = Image.new("RGB", (16, 16), (250, 240, 10)).convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        assert np.abs(decode(encoded(cmyk, kind)).astype(int) - (250, 240, 10)).max() < 6


def test_first_frame_of_gif_and_first_page_of_tiff() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "TIFF", "WEBP"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert len(list(ImageSequence.Iterator(Image.open(BytesIO(data))))) == 2
        assert np.abs(decode(data).astype(int) - (255, 0, 0)).max() < 4


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_other_arrays_are_refused_with_what_to_do(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="channels last"):
        open_rgb(array)
    with pytest.raises(ImageError, match="channels last"):
        decode(array)


def test_truncated_files_are_refused_and_name_their_path(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
        data = encoded(photograph(200, 150), kind)
        path = tmp_path / kind
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(ImageError, match="Copy it again") as raised:
            load_square(path, 32)
        assert raised.value.__notes__ == [str(path)]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_flipped_bytes_never_raise_anything_else() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
        data = encoded(photograph(60, 40), kind)
        for _ in range(60):
            broken = bytearray(data)
            for place in rng.integers(0, min(len(data), 400), 6):
                broken[place] = rng.integers(256)
            with suppress(ImageError):
                assert decode(bytes(broken)).ndim == 3


def test_no_image_no_file_no_data(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="Not a JPEG"):
        decode(b"hello, I am text")
    with pytest.raises(ImageError, match="empty"):
        decode(b"")
    with pytest.raises(NotFoundError, match=r"none\.jpg does not"):
        decode(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="cannot be opened"):
        decode(tmp_path)


def test_postscript_is_not_run() -> None:
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(ImageError, match="Not a JPEG"):
        decode(drawing)


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims to be large and holds next to nothing."""
    data = bytearray(encoded(Image.new("1", (1, 1)), "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(50_000, 50_000))
    for read in (decode, read_header):
        with pytest.raises(ImageError, match="178 million pixels"):
            read(tmp_path / "bomb.png")


def test_the_limit_holds_where_pillows_own_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ImageError, match="178 million pixels"):
        decode(bomb(MAX_PIXELS // 1000 + 1, 1000))


def test_squash_and_crop_are_what_resize_and_timm_do() -> None:
    image = photograph()
    squashed = np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC))
    assert np.array_equal(to_square(image, 64, interpolation="bicubic"), squashed)
    for upright in (image, image.transpose(Image.Transpose.ROTATE_90), image.crop((0, 0, 300, 300))):
        short = 73  # round(64 / 0.875)
        scale = short / min(upright.size)
        scaled = upright.resize([short if s == min(upright.size) else int(s * scale) for s in upright.size])
        left, top = (round((side - 64) / 2) for side in scaled.size)
        expected = np.asarray(scaled.crop((left, top, left + 64, top + 64)), int)
        found = to_square(upright, 64, interpolation="bicubic", crop=0.875)
        assert np.abs(found - expected).max() <= 1


def test_the_hot_path_gives_what_decode_and_to_square_give() -> None:
    small = encoded(photograph(250, 250), "JPEG")
    turned = encoded(
        photograph(250, 200),
        "JPEG",
        exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
    )
    for source in (small, turned, encoded(photograph(90, 70).convert("P"), "PNG"), pixels(0, 30)):
        for crop in (None, 0.875):
            expected = to_square(decode(source), 64, interpolation="bicubic", crop=crop)
            assert np.array_equal(load_square(source, 64, "bicubic", crop), expected)
    assert decode(turned).shape == (250, 200, 3)


def test_large_jpegs_are_decoded_at_reduced_scale_with_little_loss() -> None:
    data = encoded(photograph(), "JPEG", quality=90)
    assert decode(data, min_side=100).shape == (214, 320, 3)
    assert decode(data, min_side=110).shape == (427, 640, 3), "half of 427 is less than twice 110"
    for height, loss in ((424, 0.5), (427, 1.5)):  # the last half row of 427 shifts the others
        data = encoded(photograph(640, height), "JPEG", quality=90)
        difference = load_square(data, 64).astype(int) - to_square(decode(data), 64)
        assert 0 < np.abs(difference).mean() < loss


def test_a_users_own_pillow_image_is_left_as_it_is() -> None:
    opened = Image.open(BytesIO(encoded(photograph(), "JPEG")))
    load_square(opened, 32)
    assert opened.size == (640, 427)
    plain = ImageOps.grayscale(photograph(20, 10))
    decode(plain)
    assert plain.mode == "L"


def test_one_pixel_is_an_image() -> None:
    assert (
        load_square(encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"), 4, crop=0.875).tolist()
        == [[[1, 2, 3]] * 4] * 4
    )


def test_large_files_are_hashed_in_pieces_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(photograph(), "JPEG"))
    whole = read_header(tmp_path / "a.jpg")
    monkeypatch.setattr("eyebright.data.header._WHOLE_BYTES", 100)
    assert read_header(tmp_path / "a.jpg") == whole
