"""The long work behind the studio's pages: audit and training of real images, stopped and gone on with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from studios import admin_of, studio_of

from eyebright.data.fixes import Fix, read_fixes, write_fixes
from eyebright.labelling.jobs import Job
from eyebright.verbs.studio.core import Studio


@pytest.fixture
def studio(textile: Path, tmp_path: Path) -> Iterator[Studio]:
    for folder in sorted((textile / "train").iterdir())[:2]:
        shutil.copytree(folder, tmp_path / "photos" / folder.name)
    with studio_of(tmp_path / "photos") as opened:
        yield opened


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    with admin_of(studio) as opened:
        yield opened


def ended(studio: Studio) -> Job:
    assert studio.jobs._thread is not None
    studio.jobs._thread.join()
    assert studio.jobs.last is not None
    return studio.jobs.last


def test_fixes_that_a_person_chooses_are_kept_and_a_new_label_is_theirs(client: TestClient, studio: Studio):
    first, second, third = studio.project.samples[:3]
    paths = [f"../{sample.path}" for sample in (first, second, third)]
    other = next(label for label in studio.project.classes() if label != studio.labels()[first.sha])
    proposed = [
        Fix(paths[0], "relabel", other, "Label errors, probability 98 %"),
        Fix(paths[1], "drop", "", "Unreadable images"),
        Fix(paths[2], "", "", "Blurred images"),
    ]
    folder = studio.project.folder / "audits" / "20260101-000000"
    folder.mkdir(parents=True)
    write_fixes(folder / "fixes.csv", proposed)
    shown = client.get("/audit").text
    assert shown.count("<select") == 3
    assert 'value="relabel" selected' in shown
    chosen = {"fix-0": "relabel", "fix-1": "drop", "fix-2": "not_a_problem"}
    assert client.post("/audit/fixes", data=chosen).headers["location"] == "/audit?saved=1"
    assert studio.labels()[first.sha] == other
    kept = [(fix.image, fix.action) for fix in read_fixes(studio.fixes_file).rows]
    assert kept == [(paths[1], "drop"), (paths[2], "not_a_problem")]
    assert "2 fixes" in client.get("/train").text
    client.post("/label/undo")
    assert studio.labels()[first.sha] != other


@pytest.mark.slow
def test_a_training_is_stopped_gone_on_with_and_audited(client: TestClient, studio: Studio):
    assert client.post("/train", data={}).headers["location"] == "/train"
    assert client.post("/train", data={}).status_code == 422  # one at a time
    client.post("/job/stop", data={})
    assert ended(studio).state == "stopped"
    assert "which was not finished" in client.get("/train").text
    assert client.post("/train", data={"resume": "1"}).status_code == 303
    job = ended(studio)
    assert (job.state, job.error) == ("done", "")
    [run] = studio.runs()
    assert job.result == f"/models/{run.directory.name}"
    assert job.command[0].startswith("eyebright train ")
    assert client.post("/audit").status_code == 303
    assert (ended(studio).state, ended(studio).error) == ("done", "")
    assert client.get("/audit").status_code == 200
    assert client.post(f"/models/{run.directory.name}/export", data={"format": "onnx"}).status_code == 303
    assert (ended(studio).state, ended(studio).error) == ("done", "")
    assert "onnx" in client.get(job.result).text
