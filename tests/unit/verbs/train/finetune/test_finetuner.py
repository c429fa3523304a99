"""The time that fine-tuning has within a budget."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from eyebright.backbones.torch.exported import ExportedBackbone  # noqa: E402
from eyebright.backbones.torch.network import Network  # noqa: E402
from eyebright.data.manifest import Manifest  # noqa: E402
from eyebright.training.cache.store import exports_folder  # noqa: E402
from eyebright.training.finetune.checkpoint import read, write  # noqa: E402
from eyebright.training.finetune.data.cached_activations import ActivationData  # noqa: E402
from eyebright.training.finetune.model.timm_weights import timm_weights  # noqa: E402
from eyebright.verbs.train.finetune import finetune_setup  # noqa: E402
from eyebright.verbs.train.finetune.dataset import build  # noqa: E402
from eyebright.verbs.train.finetune.finetune import _finetune_depth, load_network  # noqa: E402
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup  # noqa: E402
from eyebright.verbs.train.finetune.fit import FinetuneResult  # noqa: E402
from eyebright.verbs.train.finetune.initial_model import initial_model  # noqa: E402
from eyebright.verbs.train.finetune.package import package  # noqa: E402
from eyebright.verbs.train.finetune.plan import PLAN  # noqa: E402
from eyebright.verbs.train.finetune.resolve import resolve  # noqa: E402
from eyebright.verbs.train.finetune.time_shares import (  # noqa: E402
    against_last,
    seconds_for_full,
    seconds_for_last,
)
from eyebright.verbs.train.frozen.linear_probe import frozen_model  # noqa: E402
from eyebright.verbs.train.holdout import with_holdout  # noqa: E402
from eyebright.verbs.train.options import TrainConfig  # noqa: E402

EARLIER = 1e6  # seconds


def config_of(manifest: Manifest, resume: Path | None = None) -> TrainConfig:
    """`--finetune last` for a single step of training."""
    return TrainConfig(
        data=manifest.root,
        resume=resume,
        finetune="last",
        unfreeze=1,
        epochs=1,
        batch=256,
        size=64,
        layers="texture",
        augment="none",
        precision="fp32",
    )


def setup_of(config: TrainConfig, manifest: Manifest, network: Network, out: Path) -> FinetuneSetup:
    inner = with_holdout(manifest, config.seed)
    return FinetuneSetup(
        manifest=inner,
        whole=manifest,
        probe=frozen_model(config, inner, ExportedBackbone(network, exports_folder())),
        directory=out,
        device="cpu",
        on_epoch=lambda row: None,
        began=0.0,
    )


def finetuned(
    manifest: Manifest, out: Path, resume: Path | None = None
) -> tuple[FinetuneSetup, FinetuneResult]:
    config = config_of(manifest, resume)
    network = load_network(config)
    setup = setup_of(config, manifest, network, out)
    model = initial_model(config, setup, network)
    return setup, _finetune_depth(config, "last", model, setup, None)


def test_what_earlier_parts_of_a_run_took_is_gone_from_its_budget(
    textile_manifest: Manifest, tmp_path: Path
) -> None:
    finetuned(textile_manifest, tmp_path)
    newest = max((tmp_path / "checkpoints").glob("step-*"))
    kept = read(newest)
    kept.values["state"]["elapsed"] = EARLIER
    write(newest, kept)
    setup, resumed = finetuned(textile_manifest, tmp_path, resume=tmp_path)
    assert resumed.earlier_seconds > EARLIER - 100
    left = setup.seconds_left(1e9)
    assert setup.seconds_left(1e9, resumed.earlier_seconds) < left - EARLIER + 100


def test_a_fine_tuning_changes_nothing_that_it_started_from(
    textile_manifest: Manifest, tmp_path: Path
) -> None:
    config = config_of(textile_manifest)
    network = load_network(config)
    before = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
    setup = setup_of(config, textile_manifest, network, tmp_path)
    first = initial_model(config, setup, network)
    result = _finetune_depth(config, "last", first.copy(), setup, None)
    trained = {name: tensor.clone() for name, tensor in result.model.classifier.state_dict().items()}
    second = _finetune_depth(config, "last", result.model.copy(), setup, None)
    packaged = package(result, setup)
    assert packaged.timm_weights is not None
    assert packaged.timm_weights != timm_weights(network, config.backbone)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.body.state_dict().items())
    assert all(torch.equal(before[n], tensor) for n, tensor in first.network.body.state_dict().items())
    after = result.model.classifier.state_dict()
    assert all(torch.equal(trained[name], tensor) for name, tensor in after.items())
    assert second.plan == result.plan
    plan = json.loads((tmp_path / PLAN).read_text())
    assert (plan["depth"], plan["blocks"], plan["size"]) == ("last", 1, 64)
    assert plan["recipe"]["micro_batch"] == result.fitted.micro_batch
    assert plan["recipe"]["augment"] == "none"


def test_time_is_kept_for_every_image_that_the_sealed_model_is_run_on(
    textile_manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = textile_manifest.of("val")
    test = [replace(sample, split="test") for sample in val[::2]]
    samples = (*textile_manifest.of("train"), *val[1::2], *test)
    manifest = replace(textile_manifest, samples=samples)
    config = config_of(manifest)
    setup = setup_of(config, manifest, load_network(config), tmp_path)
    monkeypatch.setattr(f"{finetune_setup.__name__}.time.monotonic", lambda: 0.0)
    evaluation = len(val) / setup.probe.trials[0].images_per_second
    left = 1000 - finetune_setup._SEALING_SECONDS - evaluation
    assert setup.seconds_left(1000) == pytest.approx(left, abs=1e-6)


def test_the_last_blocks_get_all_of_a_time_that_everything_would_not_fit_into() -> None:
    assert seconds_for_last(100.0, full=59.0) == pytest.approx(40.0)
    assert seconds_for_last(100.0, full=61.0) == 100.0
    assert seconds_for_last(-1.0, full=61.0) == -1.0


def test_timing_a_step_of_everything_leaves_the_model_as_it_is(
    textile_manifest: Manifest, tmp_path: Path
) -> None:
    config = config_of(textile_manifest)
    network = load_network(config)
    setup = setup_of(config, textile_manifest, network, tmp_path)
    model = initial_model(config, setup, network)
    before = {name: tensor.clone() for name, tensor in model.classifier.state_dict().items()}
    assert seconds_for_full(config, model, setup) > 0
    assert all(torch.equal(before[n], tensor) for n, tensor in model.classifier.state_dict().items())


def test_a_budget_too_short_for_the_last_blocks_is_told(textile_manifest: Manifest, tmp_path: Path) -> None:
    config = config_of(textile_manifest)
    setup = setup_of(config, textile_manifest, load_network(config), tmp_path)
    assert against_last(1e9, setup) is None
    reason = against_last(-5.0, setup)
    assert reason is not None
    assert "only 0 seconds are left of the budget" in reason


@pytest.mark.parametrize(("seconds", "views"), [(None, 4), (0.0, 1)])
def test_activations_leave_time_to_train_on_them(
    textile_manifest: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float | None,
    views: int,
) -> None:
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(tmp_path / "cache"))
    config = config_of(textile_manifest).model_copy(update={"augment": "light"})
    network = load_network(config)
    setup = setup_of(config, textile_manifest, network, tmp_path)
    model = initial_model(config, setup, network)
    data = build(resolve(config, "last", model, setup), model, setup, seconds).data
    assert isinstance(data, ActivationData)
    row_bytes = 2 * data.rows(0, np.arange(1), torch.device("cpu")).numel()
    assert data.size_bytes == (views * len(setup.samples) + len(setup.holdout)) * row_bytes
