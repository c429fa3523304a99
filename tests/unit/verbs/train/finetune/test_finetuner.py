"""The time that fine-tuning has within a budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from eyebright.backbones.torch.exported import ExportedBackbone  # noqa: E402
from eyebright.data.manifest import Manifest  # noqa: E402
from eyebright.training.finetune.checkpoint import read, write  # noqa: E402
from eyebright.verbs.train.finetune import finetuner as tuning  # noqa: E402
from eyebright.verbs.train.finetune.finetune import exports, load_network  # noqa: E402
from eyebright.verbs.train.finetune.finetuner import Tuner  # noqa: E402
from eyebright.verbs.train.holdout import with_holdout  # noqa: E402
from eyebright.verbs.train.linear_probe import frozen_model  # noqa: E402
from eyebright.verbs.train.options import TrainConfig  # noqa: E402

EARLIER = 1e6  # seconds


def tuner_of(manifest: Manifest, out: Path, resume: Path | None = None) -> Tuner:
    """As `--tune last` makes one, for a single step of training."""
    config = TrainConfig(
        data=manifest.root,
        resume=resume,
        tune="last",
        unfreeze=1,
        epochs=1,
        batch=256,
        size=64,
        layers="texture",
        augment="none",
        precision="fp32",
    )
    inner, network = with_holdout(manifest, config.seed), load_network(config)
    start = frozen_model(config, inner, ExportedBackbone(network, exports()))
    return Tuner(config, inner, network, start, out, lambda row: None, 0.0, manifest)


def test_what_earlier_parts_of_a_run_took_is_gone_from_its_budget(
    textile_manifest: Manifest, tmp_path: Path
) -> None:
    tuner_of(textile_manifest, tmp_path).train("last", None)
    newest = max((tmp_path / "checkpoints").glob("step-*"))
    kept = read(newest)
    kept.values["state"]["elapsed"] = EARLIER
    write(newest, kept)
    resumed = tuner_of(textile_manifest, tmp_path, resume=tmp_path)
    left = resumed.seconds_left(1e9)
    resumed.train("last", None)
    assert resumed.seconds_left(1e9) < left - EARLIER


def test_time_is_kept_for_every_image_that_the_sealed_model_is_asked_about(
    textile_manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = textile_manifest.of("val")
    test = [replace(sample, split="test") for sample in val[::2]]
    samples = (*textile_manifest.of("train"), *val[1::2], *test)
    tuner = tuner_of(replace(textile_manifest, samples=samples), tmp_path)
    monkeypatch.setattr(tuning.time, "monotonic", lambda: 0.0)
    evaluation = len(val) / tuner.start.trials[0].images_per_second
    assert tuner.seconds_left(1000) == pytest.approx(1000 - tuning._SEALING_SECONDS - evaluation, abs=1e-6)
