"""Label Studio: its tasks are predicted, and nothing that they name is fetched."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from serving import Photographs, client_of, service_of
from starlette.testclient import TestClient

from eyebright.serving.served_model import ServedModel

CONFIG = """<View>
  <Image name="photo" value="$url"/>
  <Choices name="state" toName="photo">
    <Choice value="Global"/><Choice value="local"/><Choice value="fine" alias="nominal"/>
  </Choices>
</View>"""


def _tasks(*addresses: str, key: str = "url") -> dict:
    tasks = [{"id": i, "data": {key: address}} for i, address in enumerate(addresses)]
    return {"tasks": tasks, "project": "1.2", "label_config": CONFIG, "params": {"login": None}}


def _data(photo: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(photo).decode()


def test_setup_and_health(client: TestClient, served: ServedModel):
    assert client.get("/health").json() == {"status": "UP"}
    told = {"project": "1.2", "schema": CONFIG, "hostname": "http://studio", "access_token": "secret"}
    assert client.post("/setup", json=told).json() == {"model_version": f"textile {served.version}"}


def test_tasks_are_predicted_at_the_same_address(client: TestClient, photos: Photographs):
    labels = [client.post("/predict", content=photo).json()["predictions"][0] for photo in photos.several]
    found = client.post("/predict", json=_tasks(*map(_data, photos.several))).json()
    assert len(found["results"]) == len(labels)
    for result, expected in zip(found["results"], labels, strict=True):
        assert result["score"] == pytest.approx(expected["confidence"], abs=1e-5)
        if expected["unknown"]:
            assert result["result"] == []
            continue
        [choice] = result["result"]
        assert (choice["from_name"], choice["to_name"], choice["type"]) == ("state", "photo", "choices")
        assert [one.casefold() for one in choice["value"]["choices"]] == [expected["answer"]]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/a.jpg", "file:///etc/passwd", "/etc/passwd", "a.jpg"]
)
def test_nothing_is_fetched(client: TestClient, photos: Photographs, address: str):
    found = client.post("/predict", json=_tasks(address, _data(photos.first))).json()["results"]
    assert found[0]["result"] == []
    assert found[1]["score"] > 0


def test_files_below_a_named_folder(served: ServedModel, photos: Photographs, tmp_path: Path):
    root = tmp_path / "media"
    (root / "upload").mkdir(parents=True)
    (root / "upload" / "a b.jpg").write_bytes(photos.first)
    (tmp_path / "secret.jpg").write_bytes(photos.first)
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    inside = ["/data/upload/a%20b.jpg", "/data/local-files/?d=upload/a%20b.jpg"]
    outside = [
        "/data/../secret.jpg",
        "/data/local-files/?d=../secret.jpg",
        "/data/link.jpg",
        f"/data/local-files/?d={tmp_path}/secret.jpg",
        "/data/a%00b",
        "/data/",
    ]
    with client_of(service_of(served, images_root=root)) as client:
        found = client.post("/predict", json=_tasks(*inside, *outside)).json()["results"]
    assert [bool(one["score"]) for one in found] == [True] * len(inside) + [False] * len(outside)


def test_without_a_configuration_usual_names_are_taken(client: TestClient, photos: Photographs):
    body = _tasks(_data(photos.first), key="image") | {"label_config": None}
    [found] = client.post("/predict", json=body).json()["results"]
    assert all(one["from_name"] == "choice" for one in found["result"])


@pytest.mark.parametrize(
    "config",
    [
        "<View>",
        "<View><Text name='t' value='$t'/><Choices name='c' toName='t'/></View>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><View/>",
        "x" * 200_000,
    ],
)
def test_configurations_that_cannot_be_used(client: TestClient, config: str):
    assert client.post("/setup", json={"schema": config}).status_code == 422
    assert client.post("/predict", json=_tasks("a") | {"label_config": config}).status_code == 422


def test_tasks_of_another_form(client: TestClient):
    assert client.post("/predict", json={"tasks": [{"data": 1}]}).status_code == 422
    assert client.post("/predict", json={"tasks": []}).json()["results"] == []
    [found] = client.post("/predict", json=_tasks("a", key="other")).json()["results"]
    assert found["result"] == []
