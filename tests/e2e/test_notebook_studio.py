"""The studio as Colab shows it: its page leads the browser to a port under an address of its own."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest
from notebook_stub import STUB

from eyebright.colab import show_studio
from eyebright.errors import ConfigError


def test_colab_shows_the_studio_under_its_own_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "stub")
    monkeypatch.setenv("COLAB_STUB_CALLS", str(tmp_path / "calls.jsonl"))
    monkeypatch.syspath_prepend(str(STUB))
    (tmp_path / "photos").mkdir()
    studio = show_studio(tmp_path / "photos")
    try:
        asked, shown = map(json.loads, (tmp_path / "calls.jsonl").read_text().splitlines())
        assert "proxyPort" in asked[1]
        name, port, path, _ = shown
        assert (name, path) == ("iframe", "/?" + studio.url.partition("?")[2])
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=120)
        connection.request("GET", path, headers={"Host": "8000-m-s-stub.prod.colab.dev"})
        answer = connection.getresponse()
        assert answer.status == 303
        assert "Partitioned" in answer.headers["set-cookie"]
        assert "https://colab.research.google.com" in answer.headers["content-security-policy"]
    finally:
        studio.close()


def test_kaggle_is_told_why_not_and_no_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "stub")
    with pytest.raises(ConfigError, match="Kaggle"):
        show_studio(tmp_path)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE")
    with pytest.raises(ConfigError, match="must start"):
        show_studio(tmp_path / "gone")
