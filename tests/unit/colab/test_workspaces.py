"""A workspace on two machines: what one finished or began, the next reads or goes on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from notebook_stub import STUB

from eyebright import colab
from eyebright.colab import workspaces as module
from eyebright.errors import ConfigError, NotFoundError
from eyebright.runs.run import Run
from eyebright.verbs.doctor import surroundings

OPTIONS = {"size": 96, "layers": "texture"}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for Drive; workspaces end with the test."""
    (tmp_path / "drive").mkdir()
    monkeypatch.setenv("EYEBRIGHT_DRIVE", str(tmp_path / "drive"))
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    yield tmp_path
    for opened in module._OPEN.values():
        opened.close()
    module._OPEN.clear()


def test_a_finished_run_is_read_on_the_next_machine(
    place: Path, textile: Path, textile_run: Run, capsys: pytest.CaptureFixture[str]
):
    first = colab.workspace(local=place / "first")
    shutil.copytree(textile_run.directory, first.out("textile"))
    assert first.train("textile", textile, **OPTIONS).directory == first.out("textile")
    assert first.sync()
    next_one = colab.workspace(local=place / "next")
    run = next_one.train("textile", textile, **OPTIONS)
    assert run.model.read_bytes() == textile_run.model.read_bytes()
    assert "restored from Drive" in "".join(capsys.readouterr())
    assert "less than a minute ago" in repr(first)


def test_a_name_stands_for_one_training(place: Path, textile: Path, textile_run: Run):
    work = colab.workspace(local=place / "work")
    shutil.copytree(textile_run.directory, work.out("textile"))
    with pytest.raises(ConfigError, match="other values of size"):
        work.train("textile", textile, size=128, layers="texture")
    with pytest.raises(ConfigError, match="other values of data"):
        work.train("textile", place, **OPTIONS)
    with pytest.raises(ConfigError, match="name of a folder"):
        work.train("../textile", textile, **OPTIONS)


def test_a_training_that_was_broken_off_goes_on(place: Path, textile: Path, textile_run: Run):
    work = colab.workspace(local=place / "work")
    work.out("textile").mkdir(parents=True)
    for name in ("config.toml", "manifest.parquet"):
        shutil.copyfile(textile_run.directory / name, work.out("textile") / name)
    run = work.train("textile", textile, **OPTIONS)
    assert run.metrics["accuracy"] == textile_run.metrics["accuracy"]
    assert list((place / "drive" / "eyebright" / "runs.textile").glob("model-*.onnx"))


def test_objects_of_ones_own_go_on_too(place: Path, textile: Path):
    torch = pytest.importorskip("torch")
    work = colab.workspace(local=place / "work")

    def once(ends: bool) -> Run:
        def on_epoch(row: Any) -> None:
            seen.append(row.epoch)
            if ends and row.epoch == 1:
                raise InterruptedError

        torch.manual_seed(0)
        layers = torch.nn.Conv2d(3, 8, 3, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, stride=4)
        return work.train(
            "own", textile, finetune="full", epochs=2, patience=0, size=64, batch=8, precision="fp32",
            backbone=torch.nn.Sequential(*layers), optimizer=torch.optim.SGD, on_epoch=on_epoch,
            augment="auto", progress=False,
        )  # fmt: skip

    seen: list[int] = []
    with pytest.raises(InterruptedError):
        once(ends=True)
    once(ends=False)
    assert seen == [0, 1, 1, 2], "the second call must go on after the last checkpoint"
    run = once(ends=False)
    assert seen == [0, 1, 1, 2], "the third must only read"
    assert set(run.metrics["chosen"]["own_code"]) == {"backbone", "optimizer"}


def test_one_archive_is_copied_from_drive_and_a_folder_of_images_is_not(place: Path, textile: Path):
    shutil.make_archive(str(place / "drive" / "photos"), "zip", textile / "val")
    shutil.copytree(textile / "val", place / "drive" / "folder")
    work = colab.workspace(local=place / "work")
    assert work.data("photos.zip") == place / "work" / "data" / "photos.zip"
    assert {path.name for path in work.folder("photos.zip").iterdir()} == {"global", "local", "nominal"}
    assert work.data(textile) == textile
    with pytest.raises(ConfigError, match="in one archive"):
        work.data("folder")
    with pytest.raises(NotFoundError):
        work.data("gone.zip")


def test_opened_again_it_takes_the_place_of_the_first(place: Path):
    first = colab.workspace(local=place / "work")
    colab.workspace(local=place / "work")
    assert not first._sync._thread.is_alive()


def test_without_drive_it_says_what_that_means(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("EYEBRIGHT_DRIVE")
    work = colab.workspace(local=place / "work", lang="zh")
    assert work.sync()
    assert "没有云端硬盘" in repr(work)
    monkeypatch.setenv("EYEBRIGHT_DRIVE", str(place / "drive"))
    with pytest.raises(ConfigError, match="leads elsewhere"):
        colab.workspace("../outside", local=place / "work")


def test_in_colab_drive_is_mounted_and_files_are_offered(place: Path, monkeypatch: pytest.MonkeyPatch):
    mount = place / "content" / "drive"
    monkeypatch.delenv("EYEBRIGHT_DRIVE")
    monkeypatch.setenv("COLAB_RELEASE_TAG", "stub")
    monkeypatch.setenv("COLAB_STUB_CALLS", str(place / "calls.jsonl"))
    monkeypatch.syspath_prepend(str(STUB))
    for namespace in (surroundings, module):
        monkeypatch.setattr(namespace, "COLAB_MOUNT", mount)
    work = colab.workspace(local=place / "work")
    assert str(mount / "MyDrive" / "eyebright") in repr(work)
    (place / "model.onnx").touch()
    colab.download(place / "model.onnx")
    calls = [json.loads(line) for line in (place / "calls.jsonl").read_text().splitlines()]
    assert calls == [["mount", str(mount)], ["download", str(place / "model.onnx")]]
