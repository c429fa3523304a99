"""Texts on the studio's pages: shown beside pictures, read by a training, and given to the model in use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_images import encoded, photograph
from starlette.testclient import TestClient
from studios import admin_of, finished, studio_of
from tests.conftest import LAYERS, SIZE

from eyebright.labelling.review import ReviewItem
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

SCRIPT = {"accept": "application/json", "origin": "http://127.0.0.1"}
_NOTES = {
    "nominal": "passed without remark",
    "local": "a hole <b>near</b> the edge",
    "global": "slack tension",
}
_LONG = "word " * 100


@pytest.fixture(scope="module")
def studio(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("noted") / "photos"
    for number, file in enumerate(sorted(textile.glob("train/*/*.jpg"))):
        target = folder / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        note = f"{_NOTES[file.parent.name]} {number}" if number % 5 else ""
        target.with_suffix(".txt").write_text(note, encoding="utf-8")
    for file in sorted(textile.glob("val/*/*.jpg"))[:12]:
        shutil.copyfile(file, folder / file.name)
        (folder / file.name).with_suffix(".txt").write_text(f"<i>of</i> {_LONG}", encoding="utf-8")
    with studio_of(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with admin_of(studio) as opened:
        yield opened


def test_texts_are_shown_short_beside_tiles_and_whole_in_the_review(client: TestClient, studio: Studio):
    client.get("/label")
    finished(studio)
    shown = client.get("/label").text
    assert shown.count('class="tile-text"') > 0
    assert "&lt;i&gt;of&lt;/i&gt; word" in shown
    assert "…" in shown
    assert _LONG.strip() not in shown
    [first] = [s for s in studio.project.samples if s.text.startswith("<i>")][:1]
    studio.doubtful = [ReviewItem(first.sha, "listed", 1.0)]
    assert f"&lt;i&gt;of&lt;/i&gt; {_LONG.strip()}" in client.get("/review").text
    assert "have a text" in client.get("/").text


def test_a_text_arrives_by_form_and_what_is_refused_is_listed_until_it_is_good(
    client: TestClient, studio: Studio
):
    whole = encoded(photograph().crop((0, 0, 90, 90)), "JPEG")
    cut = whole[: len(whole) // 2]
    found = client.post(
        "/images", files=[("files", ("new.jpg", cut)), ("files", ("new.txt", b"a cat"))], headers=SCRIPT
    )
    assert (found.json()["new"], found.json()["refused_count"]) == (0, 1)
    page = client.get("/").text
    assert "new.jpg" in page
    assert "1 file was refused or cannot be read" in page
    client.post("/images", files=[("files", ("new.jpg", whole)), ("files", ("new.txt", b"a cat"))])
    assert "cannot be read" not in client.get("/").text
    [arrived] = [sample for sample in studio.project.samples if sample.path.endswith("new.jpg")]
    assert arrived.text == "a cat"


def test_a_training_is_offered_the_texts_and_the_model_in_use_is_given_one(
    client: TestClient, studio: Studio, textile: Path
):
    page = client.get("/train").text
    assert 'name="texts"' in page
    assert "--text text" in page
    options = TrainConfig(
        data=studio.data(), out=studio.runs_folder / "noted", size=SIZE, layers=LAYERS, text=["text"]
    )
    train(options)
    assert "<textarea" not in client.get("/try").text  # none is in use
    assert client.post("/models/noted/use").status_code == 303
    finished(studio)
    assert "<textarea" in client.get("/try").text
    image = next(textile.glob("val/nominal/*.jpg")).read_bytes()

    def asked(text: str, accept: str = "text/x-fragment") -> str:
        form = {"files": {"file": ("photo.jpg", image)}, "data": {"text": text}}
        return client.post("/try", **form, headers={"accept": accept}).text

    assert "Words for it" not in asked("")
    answered = asked("slack tension <b>again</b>")
    assert "slack tension &lt;b&gt;again&lt;/b&gt;" in answered
    assert "<bdi>slack</bdi>" in answered
    assert answered.partition("</ul>")[0] != asked("").partition("</ul>")[0]
    assert ">slack tension</textarea>" in asked("slack tension", "text/html")


@pytest.mark.slow
def test_a_training_from_the_page_reads_the_texts(client: TestClient, studio: Studio):
    for form, reads in (({"texts": "1"}, True), ({}, False)):
        assert client.post("/train", data=form).headers["location"] == "/train"
        finished(studio)
        job = studio.jobs.last
        assert job is not None
        assert (job.state, job.error, " --text text " in job.command[0]) == ("done", "", reads)
        run = studio.run(job.result.rpartition("/")[2])
        assert (run.metrics.get("modalities") is not None) == reads
