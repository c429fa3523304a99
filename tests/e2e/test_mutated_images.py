"""Files with flipped, cut, doubled and spliced bytes end as an answer or as one line each, in every verb."""

from __future__ import annotations

import json
import random
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from command_line import eyebright
from data_images import encoded, photograph
from PIL import Image

from eyebright.runs.run import Run

COUNT = 150


def seeds() -> list[tuple[str, bytes]]:
    """Real photographs in many formats, by their extensions."""
    small = photograph(120, 90)
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    return [
        ("jpg", encoded(small, "JPEG", exif=exif)),
        ("jpg", encoded(small, "JPEG", progressive=True, icc_profile=b"x" * 300)),
        ("jpg", encoded(small.convert("CMYK"), "JPEG")),
        ("png", encoded(small.convert("RGBA"), "PNG", exif=exif)),
        ("png", encoded(small.quantize(64), "PNG", transparency=3)),
        ("png", encoded(deep, "PNG")),
        ("tif", encoded(deep, "TIFF", compression="tiff_lzw")),
        ("tif", encoded(small.convert("F"), "TIFF")),
        ("tif", encoded(small, "TIFF", compression="jpeg")),
        ("webp", encoded(small, "WEBP", lossless=True)),
        ("gif", encoded(small.quantize(32), "GIF")),
        ("bmp", encoded(small.convert("1"), "BMP")),
        ("avif", encoded(small, "AVIF")),
        ("jp2", encoded(small, "JPEG2000")),
    ]


def mutated(draw: random.Random, data: bytes, other: bytes) -> bytes:
    changed, at = bytearray(data), draw.randrange(len(data))
    kind = draw.choice(["flip", "cut", "head", "zero", "double", "delete", "splice", "end"])
    if kind == "flip":
        for _ in range(draw.randint(1, 20)):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    elif kind == "cut":
        del changed[at:]
    elif kind == "head":
        for _ in range(4):
            changed[draw.randrange(64)] = draw.randrange(256)
    elif kind == "zero":
        changed[at : at + 64] = bytes(64)
    elif kind == "double":
        changed[at:at] = changed[at : at + 200]
    elif kind == "delete":
        del changed[at : at + 30]
    elif kind == "splice":
        changed[at:] = other[draw.randrange(len(other)) :]
    else:
        del changed[-draw.randint(1, 40) :]
    return bytes(changed)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw, pool = tmp_path_factory.mktemp("mutated"), random.Random(11), seeds()
    for number in range(COUNT):
        ending, data = draw.choice(pool)
        (folder / f"{number:03}.{ending}").write_bytes(mutated(draw, data, draw.choice(pool)[1]))
    return folder


@pytest.mark.slow
def test_predict_names_every_file(textile_run: Run, files: Path) -> None:
    done = eyebright("predict", textile_run.model, files, "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert "Traceback" not in done.stderr
    assert len({row["path"] for row in rows}) == len(rows) == COUNT
    assert 0 < sum("error" in row for row in rows) < COUNT


@pytest.mark.slow
def test_train_and_evaluate_go_on(textile: Path, textile_run: Run, files: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for label in sorted(path.name for path in (textile / "val").iterdir()):
        shutil.copytree(textile / "val" / label, data / label)
    labels = sorted(path.name for path in data.iterdir())
    for number, file in enumerate(sorted(files.iterdir())):
        shutil.copy(file, data / labels[number % len(labels)] / f"mutated{file.name}")
    for words in (
        ("train", data, "--size", "96", "--layers", "texture"),
        ("evaluate", textile_run.model, data),
    ):
        out = tmp_path / words[0]
        done = eyebright(*words, "--out", out)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        skipped = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["skipped"]
        assert sum("mutated" in row["path"] for row in skipped) > 10


@pytest.mark.slow
def test_the_largest_images_that_are_allowed_are_answered(textile_run: Run, tmp_path: Path) -> None:
    side = 13_377
    Image.new("RGB", (side, side), (9, 99, 200)).save(tmp_path / "rgb.png", compress_level=1)
    Image.new("1", (side, side)).save(tmp_path / "bit.tif", compression="group4")
    Image.new("L", (65_535, 2_700)).save(tmp_path / "long.png", compress_level=1)
    Image.new("L", (1, 17_000_000)).save(tmp_path / "thin.png")
    buffer = BytesIO()
    photograph(96, 64).save(buffer, "JPEG")
    (tmp_path / "usual.jpg").write_bytes(buffer.getvalue())
    done = eyebright("predict", textile_run.model, tmp_path, "--format", "jsonl")
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert {name for name, row in rows.items() if "error" in row} == {"thin.png"}
    assert len(rows) == 5
    assert "Warning" not in done.stderr
