"""Images with several labels each: from a table, by keys, undone, and written as `train` reads them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from studios import admin_of, finished, studio_of
from tests.conftest import LAYERS, SIZE

from eyebright.data.source import scan_as_given
from eyebright.errors import ConfigError
from eyebright.labelling.label_files import write_labels
from eyebright.labelling.project import Project
from eyebright.labelling.review import ReviewItem
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train


@pytest.fixture(scope="module")
def studio(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("several") / "photos"
    folder.mkdir()
    rows = []
    for number, file in enumerate(sorted(textile.glob("train/*/*.jpg"))):
        shutil.copyfile(file, folder / f"{number}.jpg")
        if number % 3:
            names = [] if file.parent.name == "nominal" else ["fault", file.parent.name]
            rows.append([f"{number}.jpg", json.dumps(names)])
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([["path", "labels"], *rows])
    with studio_of(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with admin_of(studio) as opened:
        yield opened


def test_several_labels_are_given_suggested_taken_back_and_decided(client: TestClient, studio: Studio):
    before = studio.labels()
    assert "fault; local" in before.values()
    assert "" in before.values()  # none of them is a label, too
    assert studio.project.classes() == ["fault", "global", "local"]
    client.get("/label")
    finished(studio)
    page = client.get("/label").text
    assert 'data-several="none of them"' in page
    assert "fault; " in page  # suggested sets
    first, second = re.findall(r'data-sha="(\w+)"', page)[:2]
    assert client.post("/label", json={"labels": {first: "new; fault; new", second: ""}}).status_code == 200
    assert (studio.labels()[first], studio.labels()[second]) == ("fault; new", "")
    assert client.post("/label", json={"labels": {first: "fault; a/b"}}).status_code == 422
    client.post("/label/undo")
    assert studio.labels() == before
    studio.doubtful = [ReviewItem(first, "listed", 1.0), ReviewItem(second, "listed", 0.5)]
    assert client.get("/review").text.count('type="checkbox"') == 3
    client.post("/review", data={"image": first, "label": ["local", "fault"], "skip": "0"})
    client.post("/review", data={"image": second, "skip": "0"})
    assert (studio.labels()[first], studio.labels()[second]) == ("fault; local", "")
    for _ in range(2):
        client.post("/label/undo")
    assert studio.labels() == before


def test_labels_are_written_as_lists_and_trained_on(client: TestClient, studio: Studio):
    manifest, _ = scan_as_given(studio.data())
    assert {s.sha: s.label for s in manifest.samples} == studio.labels()
    assert manifest.task.multilabel
    assert f"{len(studio.labels())} images of 3 classes" in client.get("/train").text
    with pytest.raises(ConfigError, match=r"labels\.csv"):
        write_labels(studio.project, "folders")
    tasks = json.loads(write_labels(studio.project, "label-studio").read_text(encoding="utf-8"))
    results = [a["result"] for task in tasks for a in task["annotations"]]
    assert ["fault", "local"] in [one["value"]["choices"] for result in results for one in result]
    train(TrainConfig(data=studio.data(), out=studio.runs_folder / "several", size=SIZE, layers=LAYERS))
    assert client.post("/models/several/use").status_code == 303
    finished(studio)
    assert studio.jobs.last is not None
    assert (studio.jobs.last.state, studio.jobs.last.error) == ("done", "")
    image = studio.project.path(studio.project.samples[0]).read_bytes()
    shown = client.post("/try", files={"file": ("a.jpg", image)}, headers={"accept": "text/x-fragment"})
    assert shown.status_code == 200
    for path in ("/", "/train", "/models", "/models/several", "/review"):
        assert client.get(path).status_code == 200


def test_a_folder_that_says_nothing_becomes_one_of_several_labels(textile: Path, tmp_path: Path):
    shutil.copyfile(next(textile.glob("train/*/*.jpg")), tmp_path / "1.jpg")
    with (project := Project(tmp_path)).store:
        assert not project.multilabel
    with (project := Project(tmp_path, multilabel=True)).store:
        project.store.add("ann", [(project.samples[0].sha, "cat; dog")])
    with (project := Project(tmp_path)).store:  # the labels say so from now on
        assert project.multilabel
        assert project.classes() == ["cat", "dog"]
