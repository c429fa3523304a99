"""A small data set of real photographs with known faults, for the tests of what an audit finds."""

from __future__ import annotations

import shutil
from pathlib import Path

from command_line import photos
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

TRAIN, VAL = 12, 5  # of each class


def write_faulty(textile: Path, root: Path) -> Path:
    """Write some images of the textile folder to train/ and val/, and known faults beside them."""
    photos(textile / "train", root / "train", TRAIN)
    photos(textile / "val", root / "val", VAL)
    plain, val = root / "train" / "nominal", root / "val" / "nominal"
    files = sorted(plain.iterdir())
    shutil.copyfile(files[0], val / "leak.jpg")
    shutil.copyfile(files[1], plain / "again.jpg")
    with Image.open(files[2]) as image:
        image.resize((170, 190)).save(val / "resized.jpg", quality=60)
        ImageOps.expand(image, 25, "black").save(plain / "framed.png")
    with Image.open(files[3]) as image:
        ImageOps.mirror(image).save(plain / "mirrored.png")
    with Image.open(files[4]) as image:
        image.filter(ImageFilter.GaussianBlur(4)).save(plain / "blurred.png")
    with Image.open(files[5]) as image:
        ImageEnhance.Brightness(image).enhance(0.1).save(plain / "dark.png")
    with Image.open(files[6]) as image:
        image.resize((900, 60)).save(plain / "wide.png")
    whole = files[7].read_bytes()
    files[7].write_bytes(whole[: len(whole) // 2])
    return root
