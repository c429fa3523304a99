"""Slices of an evaluation: measured as the model is asked, kept in the cache, with columns from a file."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance

import eyebright as eb
from eyebright.data.folder import scan_part
from eyebright.data.image_properties import looks
from eyebright.errors import DataError, NotFoundError
from eyebright.runs.run import Run
from eyebright.runs.slices import read_columns
from eyebright.sealed import image_statistics as module
from eyebright.sealed.image_statistics import ImageStatistics


@pytest.fixture(scope="module")
def half_dark(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training images, every other one all but black, in folders `night` and `day` of each class."""
    root = tmp_path_factory.mktemp("half") / "photos"
    for file in sorted((textile / "train").glob("*/*.jpg")):
        for number, folder in enumerate(("day", "night")):
            target = root / file.parent.name / folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(file) as image:
                dark = ImageEnhance.Brightness(image).enhance(0.02 if number else 1.0)
                dark.save(target.with_suffix(".png" if number else ".jpg"))
    return root


@pytest.fixture(scope="module")
def evaluation(textile_run: Run, half_dark: Path) -> Run:
    return eb.evaluate(textile_run.directory, half_dark, out=half_dark.parent / "evaluation")


def of(run: Run, column: str) -> dict[str | None, dict[str, Any]]:
    return {entry["value"]: entry for entry in run.metrics["slices"] if entry["column"] == column}


def test_images_in_the_dark_are_worse(evaluation: Run) -> None:
    folders, formats = of(evaluation, "folder"), of(evaluation, "format")
    assert {name: (s["images"], s["worse"]) for name, s in folders.items()} == {
        "day": (72, False),
        "night": (72, True),
    }
    assert {name: s["accuracy"] for name, s in formats.items()} == {
        "JPEG": folders["day"]["accuracy"],
        "PNG": folders["night"]["accuracy"],
    }
    brightness = [s for s in evaluation.metrics["slices"] if s["column"] == "brightness"]
    assert any(s["worse"] for s in brightness if s["high"] < 0.1)
    assert not any(s["worse"] for s in brightness if s["low"] > 0.1)
    assert not of(evaluation, "camera")
    page = evaluation.report.read_text()
    assert "Folder night" in page
    assert 'id="slices"' in page


def test_a_training_has_slices_too(textile_run: Run) -> None:
    columns = {entry["column"] for entry in textile_run.metrics["slices"]}
    assert columns == {"brightness", "contrast", "sharpness"}
    assert all(entry["images"] == 10 for entry in textile_run.metrics["slices"])


def test_looks_are_measured_once(textile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = scan_part(textile / "val", "val")
    first = ImageStatistics(tmp_path, 96, None)
    pixels = np.asarray(Image.open(manifest.root / manifest.samples[0].path).convert("RGB"))
    first.measure(manifest.samples[0], pixels)
    table = first.table(manifest.root, manifest.samples)
    assert table[0] == pytest.approx(looks(pixels))
    assert np.isfinite(table).all()
    monkeypatch.setattr(module, "decode", lambda *_, **__: pytest.fail("an image was decoded again"))
    again = ImageStatistics(tmp_path, 96, None).table(tmp_path, manifest.samples)
    assert again.tolist() == table.tolist()


def test_an_image_that_cannot_be_read_has_no_looks(textile: Path, tmp_path: Path) -> None:
    manifest = scan_part(textile / "val", "val")
    table = ImageStatistics(None, 96, None).table(tmp_path / "nowhere", manifest.samples[:2])
    assert np.isnan(table).all()


def write_columns(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_columns_of_a_file_make_slices(textile_run: Run, half_dark: Path, tmp_path: Path) -> None:
    samples = scan_part(half_dark).samples
    rows = [
        {"path": s.path, "loom": "new" if "/day/" in s.path else "old", "age": str(i)}
        for i, s in enumerate(samples)
    ]
    columns = write_columns(tmp_path / "columns.csv", rows[:-1])
    run = eb.evaluate(textile_run.model, half_dark, columns=columns, out=tmp_path / "out")
    looms = of(run, "loom")
    assert {name: (s["images"], s["worse"]) for name, s in looms.items()} == {
        "new": (72, False),
        "old": (71, True),
    }
    ages = [(s["low"], s["high"], s["images"]) for s in run.metrics["slices"] if s["column"] == "age"]
    assert ages == [(0, 35, 36), (36, 70, 35), (71, 106, 36), (107, 142, 36)]


def test_paths_may_begin_at_the_data_that_is_given(textile: Path, tmp_path: Path) -> None:
    manifest = scan_part(textile / "val", "val")
    rows = [{"path": f"val/{s.path}", "few": str(i % 3)} for i, s in enumerate(manifest.samples)]
    columns = read_columns(
        write_columns(tmp_path / "c.csv", rows), manifest.samples, (manifest.root, textile)
    )
    assert [(c.name, c.values) for c in columns] == [("few", [str(i % 3) for i in range(30)])]


def test_columns_come_in_every_writing(textile: Path, tmp_path: Path) -> None:
    manifest = scan_part(textile / "val", "val")
    rows = [f"{i};{s.path.replace('/', chr(92))};{i},5" for i, s in enumerate(manifest.samples)]
    (tmp_path / "c.csv").write_text("\n".join([";File;weight", *rows]), encoding="utf-16")
    (column,) = read_columns(tmp_path / "c.csv", manifest.samples, (manifest.root,))
    assert (column.name, list(column.values)) == ("weight", [i + 0.5 for i in range(30)])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("path,site\nelsewhere/a.jpg,a\n", "None of the 1 row of"),
        ("path,site\n", "0 rows"),
        ("where,site\na.jpg,a\n", "has: where, site"),
        ("path\na.jpg\n", "columns path and"),
        ("", "columns - and"),
    ],
)
def test_a_file_that_says_nothing_of_the_images_is_refused(
    textile: Path, tmp_path: Path, content: str, says: str
) -> None:
    manifest = scan_part(textile / "val", "val")
    (tmp_path / "c.csv").write_text(content)
    with pytest.raises(DataError, match=says):
        read_columns(tmp_path / "c.csv", manifest.samples, (manifest.root,))


def test_a_file_that_is_not_there_is_told(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone\.csv does not"):
        eb.evaluate(textile_run.model, textile, columns=tmp_path / "gone.csv", out=tmp_path / "out")


def test_copies_are_no_further_evidence(textile_run: Run, half_dark: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(half_dark, data)
    for file in list(data.glob("*/night/*.png")):
        shutil.copyfile(file, file.with_name(f"copy-{file.name}"))
    run = eb.evaluate(textile_run.model, data, out=tmp_path / "out")
    assert {name: s["images"] for name, s in of(run, "folder").items()} == {"day": 72, "night": 72}
