"""The Open Inference Protocol, asked by Triton's own client over the network of this machine."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from serving import Photographs, client_of, listening, service_of
from starlette.testclient import TestClient

from eyebright.serving.served_model import ServedModel

http = pytest.importorskip("tritonclient.http", reason="needs tritonclient[http]")

OUTPUTS = {"probabilities", "answer", "unknown_score", "label"}


@pytest.fixture(scope="module")
def triton(served: ServedModel) -> Iterator[object]:
    with listening(service_of(served)) as port:
        client = http.InferenceServerClient(f"127.0.0.1:{port}")
        yield client
        client.close()


def _pixels(photo: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(photo)).convert("RGB"))


def _tensor(name: str, values: np.ndarray, datatype: str, binary: bool) -> object:
    tensor = http.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def test_health_and_metadata(triton, served: ServedModel):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("textile")
    assert triton.is_model_ready("textile", served.version)
    assert not triton.is_model_ready("another")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    found = triton.get_model_metadata("textile", served.version)
    assert found["versions"] == [served.version]
    assert {output["name"] for output in found["outputs"]} == OUTPUTS
    assert [one["datatype"] for one in found["inputs"]] == ["UINT8", "BYTES"]


@pytest.mark.parametrize("binary", [True, False])
def test_pixels(triton, served: ServedModel, photos: Photographs, binary: bool):
    pixels = np.stack([_pixels(photo) for photo in photos.several[:2]])
    wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in sorted(OUTPUTS)]
    images = pixels[:, :64, :48]
    found = triton.infer("textile", [_tensor("images", images, "UINT8", binary)], outputs=wanted)
    expected = [served.answer(image) for image in images]
    assert np.allclose(
        found.as_numpy("probabilities"), [one.answered.probabilities for one in expected], atol=1e-6
    )
    assert found.as_numpy("answer").dtype == np.int64
    labels = [text.decode() if isinstance(text, bytes) else text for text in found.as_numpy("label")]
    assert labels == [one.prediction.label for one in expected]


def test_encoded_files(triton, client: TestClient, photos: Photographs):
    files = np.array(photos.several, object)
    found = triton.infer("textile", [_tensor("encoded_images", files, "BYTES", True)], request_id="seven")
    assert found.get_response()["id"] == "seven"
    expected = client.post("/predict", files=[("file", photo) for photo in photos.several]).json()
    labels = [text.decode() for text in found.as_numpy("label")]
    assert labels == [one["answer"] for one in expected["predictions"]]
    column = _tensor("images", files[:, None], "BYTES", True)
    assert np.array_equal(triton.infer("textile", [column]).as_numpy("label"), found.as_numpy("label"))


def test_errors_are_told_as_the_client_reads_them(triton):
    with pytest.raises(http.InferenceServerException, match="Not a JPEG"):
        triton.infer("textile", [_tensor("images", np.array([b"no image"], object), "BYTES", True)])
    with pytest.raises(http.InferenceServerException, match="There is no another"):
        triton.infer("another", [_tensor("images", np.zeros((1, 8, 8, 3), np.uint8), "UINT8", True)])
    with pytest.raises(http.InferenceServerException, match="version"):
        triton.get_model_metadata("textile", "7")


def _request(**changes: object) -> dict:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 3]}
    return {"inputs": [tensor | changes]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        _request(name="pictures"),
        _request(datatype="FP32"),
        _request(shape=[1, 1, 3]),
        _request(shape=[1, 1, -1, 3]),
        _request(shape=[0, 1, 1, 3]),
        _request(shape=[1, 2, 1, 3]),
        _request(data=[1, 2, 256]),
        _request(data=[1, 2, 3.5]),
        _request(data=[1, 2, True]),
        _request(data=None),
        _request(parameters={"binary_data_size": 3}),
        _request(datatype="BYTES", shape=[1], data=["%"]),
        _request(datatype="BYTES", shape=[2], data=[""]),
        _request() | {"outputs": [{"name": "logits"}]},
        _request() | {"outputs": [{"name": "label", "parameters": {"classification": 2}}]},
    ],
)
def test_requests_of_another_form(client: TestClient, body: dict):
    response = client.post("/v2/models/textile/infer", json=body)
    assert response.status_code == 422
    assert response.json()["error"] == response.json()["detail"]


@pytest.mark.parametrize("length", ["0", "-1", "10000", "x", "²"])
def test_lengths_of_another_form(client: TestClient, length: str):
    headers = {"Inference-Header-Content-Length": length.encode()}
    assert client.post("/v2/models/textile/infer", content=b"{}", headers=headers).status_code == 422


def test_nested_data_in_json(client: TestClient, photos: Photographs):
    one = client.post("/v2/models/textile/infer", json=_request(data=[[[[1, 2, 3]]]]))
    assert one.json()["outputs"] == client.post("/v2/models/textile/infer", json=_request()).json()["outputs"]
    text = base64.b64encode(photos.first).decode()
    body = _request(datatype="BYTES", shape=[1], data=[text])
    [label] = [x["data"] for x in client.post("/v2/models/textile/infer", json=body).json()["outputs"][-1:]]
    assert len(label) == 1


def test_limits_hold(served: ServedModel):
    with client_of(service_of(served, max_images=1, max_pixels=10)) as client:
        many = _request(shape=[2, 1, 1, 3], data=[1] * 6)
        large = _request(shape=[1, 4, 4, 3], data=[1] * 48)
        found = [client.post("/v2/models/textile/infer", json=body) for body in (many, large)]
        assert [response.status_code for response in found] == [413, 413]
