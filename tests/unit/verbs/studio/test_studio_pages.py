"""The studio's pages in process: who gets in, what changes, and what they hold."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_images import encoded, photograph
from starlette.testclient import TestClient
from studios import TOKENS, finished, stranger_to, studio_of

from eyebright.runs.run import Run
from eyebright.verbs.studio.core import Studio

PAGES = ("/", "/audit", "/label", "/train", "/models", "/try", "/review")
SCRIPT = {"accept": "application/json", "origin": "http://127.0.0.1"}


@pytest.fixture(scope="module")
def studio(textile: Path, textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("photos")
    for number, file in enumerate(sorted(textile.glob("train/*/*.jpg"))[::6]):
        shutil.copyfile(file, folder / f"{number}.jpg")
    shutil.copytree(textile_run.directory, folder / "studio" / "runs" / "first")
    with studio_of(folder, open_service=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def stranger(studio: Studio) -> Iterator[TestClient]:
    with stranger_to(studio) as client:
        yield client


@pytest.fixture
def client(stranger: TestClient) -> Iterator[TestClient]:
    stranger.get(f"/?token={TOKENS['admin']}")
    yield stranger
    stranger.cookies.clear()


def ready(studio: Studio, client: TestClient) -> None:
    """Let the features be computed that groups are made of."""
    client.get("/label")
    finished(studio)
    client.get("/label")
    finished(studio)


def test_only_the_printed_address_lets_in_and_its_token_leaves_the_address(stranger: TestClient):
    assert stranger.get("/").status_code == 401
    assert stranger.get("/?token=wrong").status_code == 401
    answer = stranger.get(f"/?token={TOKENS['admin']}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["set-cookie"].split("; "))
    assert stranger.get("/").status_code == 200
    stranger.cookies.clear()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "rebound.example"}, 421),
        ({"origin": "http://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_another_page_cannot_use_the_browser(client: TestClient, headers: dict[str, str], status: int):
    assert client.post("/label", content="{}", headers=headers).status_code == status


def test_a_token_to_view_changes_nothing(stranger: TestClient, studio: Studio):
    stranger.get(f"/?token={TOKENS['view']}")
    sha = studio.project.samples[0].sha
    assert stranger.get("/label").status_code == 200
    for path in ("/label", "/label/undo", "/images", "/train", "/audit", "/models/first/use"):
        assert stranger.post(path, json={"labels": {sha: "cat"}}).status_code == 403
    assert studio.labels() == {}
    stranger.cookies.clear()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_page_is_small_and_runs_nothing_of_its_own(client: TestClient, studio: Studio, lang: str):
    ready(studio, client)
    client.post("/settings", data={"language": lang, "back": "/"})
    parts = sum(
        len(client.get(f"/static/{name}").content)
        for name in ("page.css", "studio.css", "studio.js", "label.js")
    )
    for path in (*PAGES, "/models/first"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert f'lang="{"zh-Hans" if lang == "zh" else "en"}"' in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(
            r"<script(?! src)|<style| style=|\son[a-z]+=|https?://(?!127\.0\.0\.1)", answer.text
        ), path
        assert "eyebright " in answer.text  # the command line that does the same
        assert len(answer.content) + parts < 150_000


def test_a_group_is_labelled_and_taken_back(client: TestClient, studio: Studio):
    ready(studio, client)
    shown = re.findall(r'data-sha="(\w+)"', client.get("/label").text)
    assert len(shown) == 8
    labels = dict.fromkeys(shown, "fine & <b>")
    assert client.post("/label", json={"labels": labels}).status_code == 422  # such a name no folder can have
    labels = dict.fromkeys(shown[:-1], "fine & good")
    answer = client.post("/label", json={"labels": labels, "later": shown[-1:]})
    assert studio.labels() == labels
    assert "fine &amp; good" in answer.text
    assert not set(re.findall(r'data-sha="(\w+)"', answer.text)) & set(shown)
    assert client.post("/label/undo", headers=SCRIPT).json() == {"images": 7}
    assert studio.labels() == {}


@pytest.mark.parametrize(
    "body", ["", "[]", '{"labels": {"0": 1}}', '{"labels": {"unknown": "cat"}}', '{"x": 1}']
)
def test_labels_that_are_none_are_refused(client: TestClient, studio: Studio, body: str):
    assert client.post("/label", content=body).status_code == 422
    assert studio.labels() == {}


def test_photographs_arrive_once_by_form_and_by_zip(client: TestClient, studio: Studio):
    before = len(studio.project)
    content, other = (encoded(photograph().crop((x, 0, x + 64, 64)), "JPEG") for x in (0, 100))
    digests = [hashlib.sha256(content).hexdigest()]
    assert client.post("/images/missing", json=digests, headers=SCRIPT).json() == digests
    files = [
        ("files", ("a/cat.jpg", content)),
        ("files", ("../x.jpg", other)),
        ("files", ("b.jpg", b"no image")),
    ]
    found = client.post("/images", files=files, headers=SCRIPT).json()
    assert (found["new"], found["known"], found["refused_count"]) == (1, 0, 2)
    assert client.post("/images/missing", json=digests, headers=SCRIPT).json() == []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("cat.jpg", content)
        archive.writestr("other.jpg", other)
    assert client.post("/images/zip", content=packed.getvalue(), headers=SCRIPT).status_code == 200
    finished(studio)
    assert (studio.jobs.last.state, len(studio.project)) == ("done", before + 2)
    assert not list(studio.project.folder.glob(".*.tmp"))
    assert (
        client.get(f"/picture/small/{studio.project.samples[-1].sha}").headers["content-type"] == "image/jpeg"
    )
    assert client.get("/picture/small/unknown").status_code == 404


def test_a_run_is_put_into_service_answers_and_is_not_replaced_by_a_changed_file(
    client: TestClient, studio: Studio, textile: Path
):
    image = next(textile.glob("val/*/*.jpg")).read_bytes()
    ready(studio, client)
    assert client.post("/service/predict", content=image).status_code == 503
    assert client.post("/models/first/use").status_code == 303
    finished(studio)
    answer = client.post("/service/predict", content=image)
    predicted = answer.json()["predictions"][0]["answer"]
    shown = client.post(
        "/try", files={"file": ("photo.jpg", image)}, headers={"accept": "text/x-fragment"}
    ).text
    assert predicted in shown
    assert shown.count("data:image/jpeg") == 2  # the photograph, and its heat map
    assert "alarm" in client.post("/try", files={"file": ("photo.jpg", b"no image")}).text
    changed = studio.runs_folder / "changed"
    shutil.copytree(studio.runs_folder / "first", changed)
    (changed / "model.onnx").write_bytes((changed / "model.onnx").read_bytes() + b"\0")
    refused = client.post("/models/changed/use")
    assert (refused.status_code, studio.service.run) == (422, "first")
    shutil.rmtree(changed)
    report = client.get("/models/first/report")
    assert "sandbox allow-scripts" in report.headers["content-security-policy"]
    for name in ("..%2Ffirst", "nothing"):
        assert client.get(f"/models/{name}/report").status_code in (404, 422)


def test_a_list_comes_into_the_queue_and_what_was_looked_at_leaves_it(client: TestClient, studio: Studio):
    ready(studio, client)
    studio.doubtful = []
    first, second = studio.project.samples[:2]
    content = f"path,score,reason\n{first.path},0.9,<drifts & more>\n{second.path},0.5,drifted\n"
    answer = client.post("/review/list", files={"list": ("my list.csv", content)})
    assert answer.headers["location"] == "/review?listed=2&missing=0"
    shown = client.get("/review").text
    assert second.sha in shown  # a known reason comes first
    client.post("/review", data={"image": second.sha, "label": "cat", "skip": "0"})
    shown = client.get("/review").text
    assert first.sha in shown
    assert "&lt;drifts &amp; more&gt;" in shown
    assert [item.sha for item in Studio(studio.project, studio.tokens).listed] == [first.sha]  # a restart
    refused = client.post("/review/list", files={"list": ("my list.csv", b"image\nx")})
    assert (refused.status_code, "my list.csv has: image" in refused.text) == (422, True)
    client.post("/review", data={"image": first.sha, "label": "cat", "skip": "0"})
    assert studio.listed == []
    for _ in range(2):
        client.post("/label/undo", headers=SCRIPT)


def test_people_are_compared_and_what_they_dispute_is_decided(client: TestClient, studio: Studio):
    ready(studio, client)
    first, second = (sample.sha for sample in studio.project.samples[:2])
    for name, label in (("ann", "cat"), ("bob", "dog")):
        client.post("/settings", data={"name": name, "back": "/review"})
        client.post("/label", json={"labels": {first: label, second: "dog"}})
    page = client.get("/review").text
    assert "<bdi>ann</bdi>, <bdi>bob</bdi></th><td>2</td><td>1</td><td>0.00</td>" in page
    assert first in page
    client.post("/review", data={"image": first, "label": "cat", "skip": "0"})
    assert studio.labels() == {first: "cat", second: "dog"}
    for name in ("bob", "bob", "ann"):
        client.post("/settings", data={"name": name})
        client.post("/label/undo", headers=SCRIPT)
    assert studio.labels() == {}
