"""Runs of real trainings compared on the images that both judged."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

import eyebright as eb
from eyebright.errors import DataError, NotFoundError
from eyebright.runs.run import Run
from eyebright.runtime.progress import Silent


@pytest.fixture(scope="module")
def fresh(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(textile / "val", tmp_path_factory.mktemp("fresh") / "photos"))


@pytest.fixture(scope="module")
def other_run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of fewer training images."""
    root = tmp_path_factory.mktemp("few")
    shutil.copytree(textile / "val", root / "val")
    for folder in (textile / "train").iterdir():
        (root / "train" / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[:4]:
            shutil.copyfile(file, root / "train" / folder.name / file.name)
    return eb.train(root, out=root / "runs" / "few", size=64, layers="texture")


def test_two_trainings(textile_run: Run, other_run: Run, tmp_path: Path) -> None:
    found = eb.compare([other_run.directory, textile_run.directory], out=tmp_path / "out")
    written = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert written["images"] == 30
    assert written["left_out"] == {"few": 0, "textile": 0}
    for run, figures in zip((other_run, textile_run), written["runs"], strict=True):
        assert figures["accuracy"]["value"] == pytest.approx(run.metrics["accuracy"]["value"])
        assert figures["log_loss"]["value"] == pytest.approx(run.metrics["log_loss"]["value"], rel=1e-5)
    (difference,) = written["differences"]
    gain = textile_run.metrics["accuracy"]["value"] - other_run.metrics["accuracy"]["value"]
    assert difference["accuracy"]["value"] == pytest.approx(gain)
    assert (difference["first"], difference["second"]) == ("few", "textile")
    assert written["winner"] == found.winner
    assert (found.winner is None) == (difference["accuracy_p"] >= 0.05)
    for image in written["changed"]:
        assert len({answer["predicted"] for answer in image["answers"].values()}) == 2
    page = found.report.read_text(encoding="utf-8")
    assert page.count("<figure>") == min(60, len(written["changed"])) > 0
    assert "The file no longer exists" not in page


def test_evaluations_of_one_model_are_the_same(textile_run: Run, fresh: Path, tmp_path: Path) -> None:
    """The part is another, and so is the folder; the images are told by their content."""
    again = eb.evaluate(textile_run.model, fresh, out=tmp_path / "again")
    found = eb.compare([textile_run.directory, again.directory], out=tmp_path / "out", lang="zh")
    (difference,) = found.content.differences
    assert difference.only_first == difference.only_second == 0
    assert found.winner is None
    assert found.content.changed == []
    assert "所有运行对每张图像的预测都相同" in found.report.read_text(encoding="utf-8")


def test_only_common_images_count(textile_run: Run, fresh: Path, tmp_path: Path) -> None:
    some = Path(shutil.copytree(fresh, tmp_path / "some"))
    for folder in some.iterdir():
        for file in sorted(folder.iterdir())[3:]:
            file.unlink()
    fewer = eb.evaluate(textile_run.model, some, out=tmp_path / "fewer")
    told: list[str] = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            told.append(text)

    found = eb.compare([textile_run.directory, fewer.directory], out=tmp_path / "out", progress=Heard())
    assert found.content.images == 9
    assert list(found.content.left_out) == [21, 0]
    assert "Compared on the 9 images" in told[0]


def test_runs_without_a_common_image_are_refused(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    trained = eb.evaluate(textile_run.model, textile, split="train", out=tmp_path / "trained")
    with pytest.raises(DataError, match=r"have none in common.*eyebright evaluate"):
        eb.compare([textile_run.directory, trained.directory], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_under_other_labels_are_left_out(textile_run: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(textile_run.directory, tmp_path / "copy"))
    with (copy / "predictions.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    rows[1][2] = "nominal" if rows[1][2] != "nominal" else "local"
    with (copy / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    found = eb.compare([textile_run.directory, copy], out=tmp_path / "out")
    assert found.content.images == 29


def test_corrected_labels_count_for_all_runs(textile_run: Run, tmp_path: Path) -> None:
    """The same model, eight of its labels corrected: the labels move the figure, no model does."""
    copy = Path(shutil.copytree(textile_run.directory, tmp_path / "fixed"))
    with (copy / "predictions.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    right = [row for row in rows if row[2] == row[3]][:8]
    fixes = []
    for row in right:
        row[2] = "nominal" if row[2] != "nominal" else "local"
        fixes.append(f"{row[0]},relabel,{row[2]}")
    with (copy / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    (copy / "fixes.csv").write_text("\n".join(["image,action,value", *fixes]))
    eb.compare([textile_run.directory, copy], out=tmp_path / "out")
    written = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert written["images"] == 30
    assert written["winner"] is None
    assert written["corrections"]["images"] == 8
    before = textile_run.metrics["accuracy"]["value"]
    for run, moved in zip(written["runs"], written["corrections"]["runs"].values(), strict=True):
        assert moved["before"]["value"] == pytest.approx(before)
        assert moved["moved"]["value"] == pytest.approx(-8 / 30)
        assert run["accuracy"]["value"] == pytest.approx(before - 8 / 30)
    assert any("no gain of the model" in sentence for sentence in written["verdict"])


def test_what_cannot_be_compared_is_told(textile_run: Run, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"metrics\.json"):
        eb.compare([textile_run.directory, tmp_path])
    with pytest.raises(DataError, match="was given twice"):
        eb.compare([textile_run.directory, textile_run.directory])
    copy = Path(shutil.copytree(textile_run.directory, tmp_path / "old"))
    (copy / "predictions.csv").write_text("path,split,label,predicted,confidence\na.jpg,val,x,x,0.9\n")
    with pytest.raises(DataError, match="Train or evaluate again"):
        eb.compare([textile_run.directory, copy])
    (copy / "predictions.csv").unlink()
    with pytest.raises(DataError, match="No such file"):
        eb.compare([textile_run.directory, copy])
