"""`suggest` on photographs of textile: images of the run are never asked for, the others with a reason."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from command_line import eyebright

from eyebright.errors import DataError, NotFoundError
from eyebright.runs.run import Run
from eyebright.verbs.suggest.options import SuggestConfig
from eyebright.verbs.suggest.suggest import Suggested, suggest


@pytest.fixture(scope="module")
def pool(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs that the run does not know, one twice, beside two that it has, in no class folders."""
    from eyebright.verbs.demo.demo import demo_images

    folder = tmp_path_factory.mktemp("pool")
    for number, label in enumerate(sorted(p for p in demo_images().iterdir() if p.is_dir())):
        files = sorted(label.glob("*.jpg"))
        for file in files[40:48]:
            shutil.copyfile(file, folder / f"{number}-{file.name}")
    shutil.copyfile(next(folder.glob("0-*.jpg")), folder / "twice.jpg")
    for file in sorted((textile / "train").rglob("*.jpg"))[:2]:
        shutil.copyfile(file, folder / f"known-{file.name}")
    return folder


@pytest.fixture(scope="module")
def found(textile_run: Run, pool: Path) -> Suggested:
    return suggest(SuggestConfig(run=textile_run.directory, folder=pool, count=10))


def test_unknown_images_are_suggested_once(found: Suggested, pool: Path) -> None:
    names = [Path(image.path).name for image in found.images]
    assert len(set(names)) == 10
    assert not any(name.startswith("known") for name in names)
    assert found.pool == 24
    assert all(Path(image.path).is_file() and Path(image.path).parent == pool for image in found.images)
    assert all(0 <= image.score <= 1 and image.reason for image in found.images)
    assert "Label these 10 images of 24 next." in str(found)


def test_the_csv_is_a_queue(found: Suggested) -> None:
    text = io.StringIO()
    found.write_csv(text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert list(rows[0]) == ["path", "score", "reason"]
    assert len(rows) == 10


def test_the_page_shows_the_pictures(found: Suggested) -> None:
    page = found.page()
    assert page.count("data:image/jpeg") == 10
    assert "Images to label next" in page


def test_the_command_line(textile_run: Run, pool: Path) -> None:
    done = eyebright("suggest", textile_run.directory, pool, "-n", "3", "--format", "csv")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "path,score,reason"
    assert len(done.stdout.splitlines()) == 4


def test_bad_input_is_one_sentence(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be unlabelled images to choose from"):
        suggest(SuggestConfig(run=textile_run.directory, folder=textile))
    with pytest.raises(NotFoundError, match="does not exist"):
        suggest(SuggestConfig(run=textile_run.directory, folder=tmp_path / "nowhere"))
    shutil.copyfile(textile_run.model, tmp_path / "model.onnx")
    with pytest.raises(NotFoundError, match=r"no manifest\.parquet"):
        suggest(SuggestConfig(run=tmp_path / "model.onnx", folder=textile))
