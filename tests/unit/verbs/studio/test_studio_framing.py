"""A studio in a notebook's frame, and behind a proxy: only for the pages and the address that were named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from studios import TOKENS, studio_of

from eyebright.errors import ConfigError
from eyebright.verbs.studio.app import create_app
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.framing import Framing
from eyebright.verbs.studio.options import StudioConfig

TOKEN = TOKENS["admin"]
NOTEBOOK, PROXY = "https://colab.research.google.com", "https://8000-m-s.prod.colab.dev"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with studio_of(tmp_path_factory.mktemp("photos")) as opened:
        yield opened


def ancestors(policy: str) -> str:
    return next(rule.strip() for rule in policy.split(";") if "frame-ancestors" in rule)


def test_in_a_notebook_behind_a_proxy_its_cookie_is_kept_and_its_pages_work(studio: Studio):
    app = create_app(studio, "en", Framing([NOTEBOOK], f"{PROXY}/"))
    with TestClient(app, base_url=PROXY, follow_redirects=False) as client:
        answer = client.get(f"/?token={TOKEN}")
        kept = set(answer.headers["set-cookie"].split("; "))
        assert {"HttpOnly", "Secure", "SameSite=none", "Partitioned"} <= kept
        page = client.get("/")
        assert page.status_code == 200
        assert ancestors(page.headers["content-security-policy"]) == f"frame-ancestors 'self' {NOTEBOOK}"
        assert client.post("/settings", data={"back": "/"}, headers={"origin": PROXY}).status_code == 303
        assert client.post("/settings", headers={"origin": "https://other.example"}).status_code == 403


def test_a_notebook_of_this_machine_keeps_the_strict_cookie(studio: Studio):
    app = create_app(studio, "en", Framing(["http://localhost:*"]))
    with TestClient(app, base_url="http://localhost:8765", follow_redirects=False) as client:
        answer = client.get(f"/?token={TOKEN}")
        assert "SameSite=strict" in answer.headers["set-cookie"]
        assert (
            ancestors(answer.headers["content-security-policy"])
            == "frame-ancestors 'self' http://localhost:*"
        )


def test_nobody_may_show_a_studio_that_was_not_told_so(studio: Studio):
    with TestClient(create_app(studio), base_url="http://127.0.0.1") as client:
        assert ancestors(client.get("/").headers["content-security-policy"]) == "frame-ancestors 'none'"


@pytest.mark.parametrize(
    "origin", ["https://a.example; script-src *", "a.example", "https://a.example/path", "*"]
)
def test_what_is_no_origin_is_refused(origin: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="origin"):
        StudioConfig.build(folder=tmp_path, frame_from=[origin])
    with pytest.raises(ConfigError, match="public-url"):
        StudioConfig.build(folder=tmp_path, public_url=origin)
