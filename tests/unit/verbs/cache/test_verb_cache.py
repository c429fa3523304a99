"""The cache as its user sees it, and what this installation offers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eyebright as eb
from eyebright.backbones import embedded
from eyebright.cli.main import main
from eyebright.training.cache.store import FeatureSpace
from eyebright.verbs.cache.cache import cache
from eyebright.verbs.cache.options import CacheConfig


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(tmp_path))
    return tmp_path


def test_an_empty_cache_is_shown_as_empty(own_cache: Path) -> None:
    shown = cache(CacheConfig())
    assert (shown.path, shown.bytes, list(shown.entries)) == (own_cache, 0, [])


def test_what_it_holds_is_shown_and_trimmed(own_cache: Path) -> None:
    for number in range(2):
        card = {"backbone": "net", "size": 32, "precision": "float32", "view": number}
        space = FeatureSpace(own_cache, card, 100)
        for key in range(50):
            space.add(key.to_bytes(16, "big"), np.full(100, key, np.float16))
        space.flush()
    shown = cache(CacheConfig())
    assert [entry.images for entry in shown.entries] == [50, 50]
    assert shown.bytes == sum(entry.bytes for entry in shown.entries) > 20_000
    trimmed = cache(CacheConfig(trim=shown.bytes - 1))
    assert trimmed.freed == shown.bytes // 2
    assert trimmed.bytes == shown.bytes - trimmed.freed
    assert cache(CacheConfig(clear=True)).bytes == 0


def test_exported_networks_are_part_of_it(own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own_cache / "exports"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.onnx").write_bytes(b"x" * 600_000)
    assert cache(CacheConfig()).bytes == 1_200_000
    assert main(["cache"]) == 0
    assert "Exported backbones: 2" in capsys.readouterr().out
    assert main(["cache", "--trim", "600KB"]) == 0
    assert "Freed 0.6 MB." in capsys.readouterr().out
    assert len(list(folder.iterdir())) == 1


def test_the_embedded_backbone_is_offered() -> None:
    only, *_ = eb.models()
    card = embedded.card()
    assert (only.name, only.licence, only.size_bytes) == (card.name, "Apache-2.0", len(embedded.file_bytes()))
    assert only.accuracy == pytest.approx(0.751)
