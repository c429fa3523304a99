"""`explain` from options to files, by the Python API and the command line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_line import photos
from PIL import Image

import eyebright as eb
from eyebright.cli.main import main
from eyebright.data.source import scan
from eyebright.errors import ConfigError, NotFoundError
from eyebright.explaining.base import NoHeatMapError
from eyebright.runs.run import Run


@pytest.fixture(scope="module")
def folder(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three real images, two of them called alike, and a file that is none."""
    root = tmp_path_factory.mktemp("images")
    for name, file in zip(
        ("a.jpg", "b/a.jpg", "c.jpg"), sorted((textile / "val").rglob("*.jpg")), strict=False
    ):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(file, root / name)
    (root / "d.jpg").write_bytes(b"no image")
    return root


def test_each_image_has_its_picture_and_the_page_shows_all(textile_run: Run, folder: Path, tmp_path: Path):
    found = eb.explain(textile_run.model, [str(folder)], out=tmp_path)
    assert found.method == "exact"
    assert sorted(image.picture.name for image in found.images) == ["a-2.png", "a.png", "c.png"]
    assert [Path(skipped.path).name for skipped in found.skipped] == ["d.jpg"]
    model = eb.load(textile_run.model)
    for image in found.images:
        answer = model.predict(image.path)
        assert (image.label, image.answer) == (answer.label, answer.label)
        assert image.probability == pytest.approx(answer.confidence)
        assert Image.open(image.picture).size == Image.open(image.path).size
    page = found.page.read_text(encoding="utf-8")
    assert page.count("<img") == 6
    assert re.findall(r'href="([\w-]+\.png)"', page) == [image.picture.name for image in found.images]


def test_another_class_has_another_map(textile_run: Run, folder: Path, tmp_path: Path):
    images = [str(folder / "a.jpg")]
    asked = {
        label: eb.explain(textile_run.model, images, out=tmp_path, class_=label)
        for label in textile_run.labels
    }
    assert sum(e.images[0].probability for e in asked.values()) == pytest.approx(1, abs=1e-5)
    first, second, third = (e.images[0].heat for e in asked.values())
    assert abs(first - second).max() > 1e-4
    assert abs(second - third).max() > 1e-4


def test_a_class_that_is_not_known_is_refused_with_the_nearest(
    textile_run: Run, folder: Path, tmp_path: Path
):
    wrong = textile_run.labels[0] + "x"
    with pytest.raises(ConfigError, match=re.escape(textile_run.labels[0])):
        eb.explain(textile_run.model, [str(folder)], class_=wrong, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_refused_at_once(textile_run: Run, tmp_path: Path):
    with pytest.raises(NotFoundError, match="matches nothing"):
        eb.explain(textile_run.model, [str(tmp_path / "nothing.jpg")], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_roll_out_of_a_network_without_attention_is_refused(textile_run: Run, folder: Path, tmp_path: Path):
    with pytest.raises(NoHeatMapError, match="Attention rollout needs a transformer"):
        eb.explain(textile_run.model, [str(folder)], method="rollout", out=tmp_path / "out")


def test_the_command_line_prints_a_row_an_image(
    textile_run: Run, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["explain", str(textile_run.directory), str(folder), "--out", str(tmp_path), "--lang", "zh"]
    assert main(words) == 1  # one file is no image
    out = capsys.readouterr()
    assert out.out.count("%") == 3
    assert str(tmp_path / "index.html") in out.out
    assert "d.jpg" in out.err
    assert "热图" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_heat_maps_among_the_data_are_no_class(textile_run: Run, textile: Path, tmp_path: Path):
    data = photos(textile / "train", tmp_path / "data", 2)
    images = sorted(str(path) for path in data.glob("*/*.jpg"))
    eb.explain(textile_run.model, images[:2], out=data / "explanations" / "photos-1")
    manifest = scan(data)
    assert manifest.labels == textile_run.labels
    assert "explanations/photos-1" in {skipped.path for skipped in manifest.skipped}
    eb.explain(textile_run.model, images[:1], out=data / manifest.labels[0])
    assert len(scan(data).samples) == 1 + len(manifest.samples), "a folder with other images stays one"
