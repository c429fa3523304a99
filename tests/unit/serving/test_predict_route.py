"""`POST /predict`: every way of sending images, and everything that is no image."""

from __future__ import annotations

import base64

import pytest
from serving import Photographs, bomb, client_of, service_of
from starlette.testclient import TestClient

from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.serving.served_model import ServedModel

BASE64 = "data:image/jpeg;base64,"


def _problem(response, status: int) -> dict:
    """The content of an error, which must have the form of all errors."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["status"] == status
    assert content["detail"].endswith(".")
    return content


def test_the_answer_is_that_of_predict(client: TestClient, served: ServedModel, photos: Photographs):
    expected = SealedModel(served.path).predict(photos.first)
    response = client.post("/predict", content=photos.first, headers={"Content-Type": "image/jpeg"})
    assert response.status_code == 200
    [found] = response.json()["predictions"]
    assert found["answer"] == expected.label
    assert found["confidence"] == pytest.approx(expected.confidence, abs=2e-3)
    assert found["set"] == list(expected.set)
    assert found["unknown"] is expected.unknown
    assert found["unknown_score"] == pytest.approx(expected.unknown_score, abs=0.02)
    assert found["probabilities"].keys() == set(served.sealed.labels)
    assert response.json()["model"] == {"name": "textile", "sha256": served.sha256, "coverage": 0.9}


def test_operating_points_decide(decided_run: Run, photos: Photographs):
    model = SealedModel(decided_run.model)
    with client_of(service_of(ServedModel(decided_run.directory))) as client:
        files = [("file", photo) for photo in photos.several]
        found = client.post("/predict", files=files).json()["predictions"]
    assert [one["answer"] for one in found] == [model.predict(photo).label for photo in photos.several]
    assert any(one["answer"] != max(one["probabilities"], key=one["probabilities"].get) for one in found)


def test_all_ways_give_the_same(client: TestClient, photos: Photographs):
    texts = [base64.b64encode(photo).decode() for photo in photos.several]
    form = client.post("/predict", files=[("file", photo) for photo in photos.several]).json()
    listed = client.post("/predict", json={"images": [texts[0], BASE64 + texts[1], *texts[2:]]}).json()
    single = [client.post("/predict", content=photo).json()["predictions"][0] for photo in photos.several]
    assert form == listed
    assert form["predictions"] == single
    assert client.post("/predict", json={"image": texts[0]}).json()["predictions"] == single[:1]
    named = client.post("/models/textile/predict", content=photos.first)
    assert named.json()["predictions"] == single[:1]


def test_what_curl_sends_is_an_image(client: TestClient, photos: Photographs):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/predict", content=photos.first, headers=kind).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no image", "Not a JPEG"),
        (b"", "at least one image"),
    ],
)
def test_no_image(client: TestClient, body: bytes, words: str):
    assert words in _problem(client.post("/predict", content=body), 422)["detail"]


def test_an_image_cut_off(client: TestClient, photos: Photographs):
    assert "truncated" in _problem(client.post("/predict", content=photos.cut), 422)["detail"]


def test_a_bomb_is_not_decoded(client: TestClient):
    assert "pixels" in _problem(client.post("/predict", content=bomb()), 413)["detail"]


def test_pixels_are_limited(served: ServedModel, photos: Photographs):
    with client_of(service_of(served, max_pixels=100)) as client:
        assert "not decoded" in _problem(client.post("/predict", content=photos.first), 413)["detail"]


def test_one_bad_image_costs_no_other_its_answer(client: TestClient, photos: Photographs):
    files = [
        ("file", ("a.jpg", photos.first)),
        ("file", ("b.jpg", b"no image")),
        ("file", ("c.jpg", photos.cut)),
    ]
    content = _problem(client.post("/predict", files=files), 422)
    assert [(one["index"], one["name"]) for one in content["errors"]] == [(1, "b.jpg"), (2, "c.jpg")]
    [alone] = client.post("/predict", content=photos.first).json()["predictions"]
    assert content["predictions"] == [alone, None, None]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"images": [1]}',
        b'{"images": ["%"]}',
        b'{"pictures": []}',
        b"{}",
        b"[" * 10_000,
        b"\xff",
    ],
)
def test_json_of_another_form(client: TestClient, body: bytes):
    kind = {"Content-Type": "application/json"}
    _problem(client.post("/predict", content=body, headers=kind), 422)


def test_forms_of_another_form(client: TestClient):
    _problem(
        client.post("/predict", data={"file": "text"}, headers={"Content-Type": "multipart/form-data"}), 422
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    _problem(client.post("/predict", content=b"--x\r\nbroken", headers=kind), 422)
    _problem(client.post("/predict", files={"file": b""}), 422)


def test_other_types(client: TestClient, photos: Photographs):
    _problem(client.post("/predict", content=photos.first, headers={"Content-Type": "text/html"}), 415)
    _problem(client.post("/predict", content=photos.first, headers={"Content-Encoding": "gzip"}), 415)


def test_an_unknown_model(client: TestClient, photos: Photographs):
    content = _problem(client.post("/predict?model=textiel", content=photos.first), 404)
    assert "textile" in content["detail"]
    _problem(client.get("/models/nothing/card"), 404)
    _problem(client.get("/nothing"), 404)
    assert client.put("/predict").headers["allow"] == "POST"


def test_large_bodies_are_not_read(served: ServedModel):
    with client_of(service_of(served, max_body_bytes=2**20)) as client:
        _problem(client.post("/predict", content=bytes(2**20 + 1)), 413)
        in_parts = (bytes(2**16) for _ in range(20))  # without a length
        _problem(client.post("/predict", content=in_parts), 413)


def test_a_form_is_not_written_to_disk(
    served: ServedModel, photos: Photographs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda _: pytest.fail("written to disk"))
    padded = photos.first + bytes(3 * 2**20)  # what follows the end marker is ignored
    with client_of(service_of(served)) as client:
        assert client.post("/predict", files={"file": padded}).status_code == 200


def test_too_many_images(served: ServedModel, photos: Photographs):
    with client_of(service_of(served, max_images=2)) as client:
        _problem(client.post("/predict", json={"images": ["AAAA"] * 3}), 413)
