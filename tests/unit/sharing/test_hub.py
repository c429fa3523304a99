"""Runs are pushed to and pulled from a hub by its own client; the hub is a server of this test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, Hub, hub_server

from eyebright.backbones.zoo.hub import HubError
from eyebright.errors import ConfigError, MissingExtraError, ModelError, NotFoundError
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.verbs.pull.options import PullConfig
from eyebright.verbs.pull.pull import pull
from eyebright.verbs.push.options import PushConfig
from eyebright.verbs.push.push import Pushed, push

pytest.importorskip("huggingface_hub")

ADDRESS = "hf://team/textile"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        # The client reads this while it is imported; its newer protocol needs a service besides the hub.
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        yield server


def _push(run: Run, **options: object) -> Pushed:
    return push(PushConfig.build(run=run.directory, destination=ADDRESS, **options))


def test_a_run_comes_back_whole_and_predicts_the_same(
    hub: Hub, textile_run: Run, textile: Path, tmp_path: Path
) -> None:
    pushed = _push(textile_run)
    repository = hub.repositories["team/textile"]
    assert repository.private
    assert len(repository.commits) == 2  # the run is one commit
    assert set(pushed.files) | {".gitattributes"} == set(repository.files[repository.head])
    assert any("lfs" in request for request in hub.requests)
    run = pull(PullConfig(source=ADDRESS, directory=tmp_path / "got"))
    assert run.model.read_bytes() == textile_run.model.read_bytes()
    photo = next((textile / "val").rglob("*.jpg"))
    was = SealedModel(textile_run.directory).predict(photo)
    assert SealedModel(run.directory).predict(photo) == was
    assert run.metrics["accuracy"] == textile_run.metrics["accuracy"]


def test_the_hub_finds_what_its_pages_read(hub: Hub, textile_run: Run) -> None:
    from huggingface_hub import ModelCard

    _push(textile_run)
    files = hub.repositories["team/textile"].files[hub.repositories["team/textile"].head]
    card: Any = ModelCard(files["README.md"].decode()).data
    assert card.pipeline_tag == "image-classification"
    assert card.license == "apache-2.0"
    assert "eyebright" in card.tags
    accuracy = next(result for result in card.eval_results if result.metric_type == "accuracy")
    assert accuracy.metric_value == pytest.approx(textile_run.metrics["accuracy"]["value"], abs=1e-4)
    config = json.loads(files["config.json"])
    assert list(config["id2label"].values()) == list(textile_run.labels)


def test_the_same_run_again_writes_nothing_and_another_needs_overwrite(
    hub: Hub, textile_run: Run, decided_run: Run, tmp_path: Path
) -> None:
    _push(textile_run)
    assert _push(textile_run).unchanged
    repository = hub.repositories["team/textile"]
    assert len(repository.commits) == 2
    with pytest.raises(ConfigError, match="--overwrite"):
        _push(decided_run)
    _push(decided_run, overwrite=True, report=False)
    assert "report.html" not in repository.files[repository.head]
    # The earlier one is still there under its commit.
    source = f"{ADDRESS}@{repository.commits[1]}"
    run = pull(PullConfig(source=source, directory=tmp_path / "earlier"))
    assert run.stored.model_sha256 == textile_run.stored.model_sha256


def test_a_commit_of_somebody_else_meanwhile_is_not_lost(
    hub: Hub, textile_run: Run, decided_run: Run
) -> None:
    _push(textile_run)
    repository = hub.repositories["team/textile"]

    def other() -> None:
        repository.add({**repository.files[repository.head], "notes.md": b"mine"}, "notes")

    hub.before_commit = other
    with pytest.raises(HubError, match="changed meanwhile"):
        _push(decided_run, overwrite=True)
    assert repository.files[repository.head]["notes.md"] == b"mine"


def test_an_upload_that_breaks_off_leaves_no_run(hub: Hub, textile_run: Run, tmp_path: Path) -> None:
    hub.fail_lfs = True
    with pytest.raises(HubError):
        _push(textile_run)
    assert set(hub.repositories["team/textile"].files[hub.repositories["team/textile"].head]) == {
        ".gitattributes"
    }
    with pytest.raises(NotFoundError, match="push"):
        pull(PullConfig(source=ADDRESS, directory=tmp_path / "got"))
    hub.fail_lfs = False
    assert not _push(textile_run).unchanged


def test_a_changed_model_is_refused_and_an_edited_card_is_not(
    hub: Hub, textile_run: Run, tmp_path: Path
) -> None:
    _push(textile_run)
    repository = hub.repositories["team/textile"]
    files = repository.files[repository.head]
    repository.add({**files, "README.md": files["README.md"] + b"\nOurs.\n"}, "card")
    run = pull(PullConfig(source=ADDRESS, directory=tmp_path / "edited"))
    assert (run.directory / "README.md").read_text("utf-8").endswith("Ours.\n")
    changed = bytearray(files["model.onnx"])
    changed[-1] ^= 1
    repository.add({**files, "model.onnx": bytes(changed)}, "model")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        pull(PullConfig(source=ADDRESS, directory=tmp_path / "changed"))
    assert not (tmp_path / "changed" / "model.onnx").exists()
    assert not (tmp_path / "changed" / "metrics.json").exists()


def test_without_a_token_the_hub_is_told_of(
    hub: Hub, textile_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(HubError, match="HF_TOKEN"):
        _push(textile_run)


def test_a_hub_out_of_reach_is_told(textile_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="must be reachable"):
        _push(textile_run)


def test_a_missing_client_names_its_extra(textile_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyebright.sharing.hub.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="hub"):
        _push(textile_run)


def test_no_token_of_the_hub_is_written_anywhere(hub: Hub, textile_run: Run, tmp_path: Path) -> None:
    _push(textile_run)
    run = pull(PullConfig(source=ADDRESS, directory=tmp_path / "got"))
    kept = [path for path in run.directory.rglob("*") if path.is_file()]
    assert all(TOKEN.encode() not in path.read_bytes() for path in kept)
