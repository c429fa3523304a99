"""Tokens and roles, and requests that a page elsewhere made a browser send."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from serving import Photographs, client_of, service_of
from starlette.testclient import TestClient

from eyebright.errors import ConfigError, NotFoundError
from eyebright.serving.security import Tokens, check_host, check_origin, is_loopback
from eyebright.serving.served_model import ServedModel

VIEW, LABEL, ADMIN = "view-" + "v" * 16, "label-" + "l" * 16, "a" * 20


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    path = tmp_path_factory.mktemp("tokens") / "tokens.txt"
    path.write_text(f"# people\nview {VIEW}\nlabel {LABEL}  # Ann\n\n{ADMIN}\n")
    return Tokens.read(path)


def _status(served: ServedModel, tokens: Tokens, token: str, method: str, path: str) -> int:
    with client_of(service_of(served, tokens), token) as client:
        return client.request(method, path).status_code


@pytest.mark.parametrize("path", ["/models", "/v2", "/metrics", "/models/textile/card", "/v2/models/textile"])
def test_with_tokens_everything_but_health_needs_one(served: ServedModel, tokens: Tokens, path: str):
    assert [_status(served, tokens, token, "GET", path) for token in ("", "wrong", VIEW, ADMIN)] == [
        401,
        401,
        200,
        200,
    ]
    assert _status(served, tokens, "", "GET", "/health/ready") == 200
    assert _status(served, tokens, "", "GET", "/v2/health/live") == 200


def test_predictions_need_a_token_too(served: ServedModel, tokens: Tokens, photos: Photographs):
    with client_of(service_of(served, tokens)) as client:
        refused = client.post("/predict", content=photos.first)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        basic = base64.b64encode(f"studio:{VIEW}".encode()).decode()
        allowed = client.post("/predict", content=photos.first, headers={"Authorization": f"Basic {basic}"})
        assert allowed.status_code == 200
        for header in ("Basic %%", "Basic", "Bearer", "Digest x", ""):
            assert client.post("/predict", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("action", ["swap", "rollback", "shadow", "promote"])
def test_changes_need_an_admin(served: ServedModel, tokens: Tokens, action: str):
    path = f"/models/nothing/{action}"  # who may is told that there is no such model
    assert [_status(served, tokens, token, "POST", path) for token in ("", VIEW, LABEL, ADMIN)] == [
        401,
        403,
        403,
        404,
    ]


def test_without_tokens_nothing_is_changed(client: TestClient):
    assert client.post("/models/textile/swap").status_code == 403


@pytest.mark.parametrize("text", ["", "# nothing\n", "short\n", f"root {ADMIN}\n", f"view {VIEW} more\n"])
def test_token_files_that_cannot_be_used(tmp_path: Path, text: str):
    path = tmp_path / "tokens.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match="token"):
        Tokens.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="readable"):
        Tokens.read(path)
    with pytest.raises(NotFoundError, match="token file"):
        Tokens.read(tmp_path / "missing.txt")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:80", "[::1]:8000", "192.168.1.5", "LocalHost", "a.b:1"]
)
def test_hosts_that_are_answered(host: str):
    check_host(host, frozenset({"a.b"}))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "", None, "127.0.0.1.evil.example", "[x]"]
)
def test_hosts_of_other_pages(client: TestClient, host: str | None):
    with pytest.raises(Exception, match="Host"):
        check_host(host, frozenset())
    if host is not None:
        assert client.get("/models", headers={"Host": host}).status_code == 421


def test_pages_of_another_origin_are_refused(client: TestClient):
    assert client.get("/models", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/models", headers={"Origin": "null"}).status_code == 403
    assert client.get("/models", headers={"Origin": "http://127.0.0.1"}).status_code == 200
    check_origin(None, "127.0.0.1")
    assert "access-control-allow-origin" not in client.get("/models").headers


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("pc", False)],
)
def test_addresses_of_this_machine_alone(host: str, own: bool):
    assert is_loopback(host) is own
