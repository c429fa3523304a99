"""The recipe that examples and pages hand out reads every image as Eyebright does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_images import encoded, photograph
from PIL import Image

from eyebright.data.decode import decode
from eyebright.errors import ImageError
from eyebright.exporting.load_image import load_image_code
from eyebright.types import UInt8Array

ROOT = Path(__file__).parents[3]
HEADER = "import numpy as np\nfrom PIL import Image, ImageOps\n\n\n"


@pytest.fixture(scope="module")
def load_image() -> Callable[..., UInt8Array]:
    names: dict[str, Callable[..., UInt8Array]] = {}
    exec(compile(HEADER + load_image_code(), "load_image", "exec"), names)
    return names["load_image"]


def grey(top: float, kind: type[np.number]) -> Image.Image:
    values = np.asarray(photograph(48, 32).convert("L"), np.float64) / 255
    return Image.fromarray((values * top).astype(kind))


def clear(mode: str, lowest: int = 0) -> Image.Image:
    picture = photograph(48, 32).convert(mode[:-1])
    picture.putalpha(Image.linear_gradient("L").resize(picture.size).point(lambda v: max(v - 99, lowest)))
    return picture


MODES = {
    "1": (photograph(48, 32).convert("1"), "PNG"),
    "L": (photograph(48, 32).convert("L"), "PNG"),
    "P": (photograph(48, 32).quantize(64), "GIF"),
    "P with a transparent colour": (photograph(48, 32).quantize(64), "PNG"),
    "LA": (clear("LA"), "PNG"),
    "RGBA": (clear("RGBA"), "PNG"),
    "RGBA, all transparent": (photograph(48, 32).convert("RGBA"), "PNG"),
    "CMYK": (photograph(48, 32).convert("CMYK"), "TIFF"),
    "CMYK JPEG": (photograph(48, 32).convert("CMYK"), "JPEG"),
    "I;16": (grey(65535, np.uint16), "PNG"),
    "I;16 of 12 bits": (grey(4095, np.uint16), "TIFF"),
    "I": (grey(70000, np.int32), "TIFF"),
    "I below zero": (Image.fromarray(np.arange(-9, 9, dtype=np.int32).reshape(3, 6)), "TIFF"),
    "F to 1": (grey(1, np.float32), "TIFF"),
    "F to 4095": (grey(4095, np.float32), "TIFF"),
}
MODES["RGBA, all transparent"][0].putalpha(0)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode: str, load_image: Callable[..., UInt8Array], tmp_path: Path) -> None:
    image, kind = MODES[mode]
    options = {"transparency": 3} if "transparent colour" in mode else {}
    (tmp_path / "image").write_bytes(encoded(image, kind, **options))
    assert np.array_equal(load_image(tmp_path / "image"), decode(tmp_path / "image"))
    assert np.array_equal(
        load_image(tmp_path / "image", 65535), decode(tmp_path / "image", white_level=65535)
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_rotation(orientation: int, load_image: Callable[..., UInt8Array], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind, image in {
        "JPEG": photograph(48, 32),
        "PNG": grey(4095, np.uint16),
        "TIFF": clear("RGBA"),
    }.items():
        (tmp_path / kind).write_bytes(encoded(image, kind, exif=exif))
        assert np.array_equal(load_image(tmp_path / kind), decode(tmp_path / kind))


def test_grey_beyond_the_white_level_is_refused(
    load_image: Callable[..., UInt8Array], tmp_path: Path
) -> None:
    grey(65535, np.uint16).save(tmp_path / "16.png")
    with pytest.raises(ValueError, match="0 to 4095"):
        load_image(tmp_path / "16.png", 4095)
    with pytest.raises(ImageError, match="at most 4095"):
        decode(tmp_path / "16.png", white_level=4095)


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_pages_print_the_recipe_as_it_is(page: str) -> None:
    assert load_image_code() in (ROOT / page).read_text(encoding="utf-8")
