"""A pretraining learns, resumes with the same bits, and stops where the features collapse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from pretraining import pretrained, tiny  # noqa: E402

from eyebright.errors import DataError, TrainingError  # noqa: E402
from eyebright.training.finetune.checkpoint import read  # noqa: E402
from eyebright.training.finetune.schedule import rate_factor  # noqa: E402
from eyebright.training.finetune.system.distributed import ProcessGroup  # noqa: E402
from eyebright.training.pretrain.history import read_pretrain_history  # noqa: E402
from eyebright.training.pretrain.losses import loss_of  # noqa: E402
from eyebright.training.pretrain.recipe import PretrainRecipe  # noqa: E402
from eyebright.training.pretrain.step import PretrainStep  # noqa: E402

RECIPE = PretrainRecipe("simclr", epochs=3, batch=8, views=2, lr=1e-4, device="cpu", save_seconds=0.0)


class StoppedError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("method", ["simclr", "vicreg", "barlow"])
def test_the_loss_falls_and_every_epoch_has_its_signs(textile_views, tmp_path, method):
    _, result = pretrained(tmp_path, replace(RECIPE, method=method, epochs=4, lr=1e-3), textile_views)
    rows = read_pretrain_history(tmp_path / "history.csv")
    assert [row.epoch for row in rows] == [0, 1, 2, 3, 4] == [row.epoch for row in result.history]
    assert rows[-1].loss < rows[1].loss
    assert all(row.effective_rank > 2 and 0 <= row.knn_consistency <= 1 for row in rows)
    assert result.stopped_because == "epochs"


def test_the_history_tells_the_learning_rate_that_was_asked_for(textile_views, tmp_path):
    pretrained(tmp_path, replace(RECIPE, epochs=1, lr=2e-4, warmup=1.0), textile_views)
    last = 2e-4 * rate_factor("cosine", 2 / 3, 1.0)  # of an epoch of three steps
    assert read_pretrain_history(tmp_path / "history.csv")[-1].learning_rate == pytest.approx(last, rel=1e-4)


def test_a_resumed_pretraining_ends_bit_identical(textile_views, tmp_path, monkeypatch):
    pretrained(tmp_path / "whole", RECIPE, textile_views)
    done = PretrainStep.update
    left = iter([*range(4), StoppedError])

    def update(self: PretrainStep) -> None:
        if next(left, None) is StoppedError:
            raise StoppedError
        done(self)

    with monkeypatch.context() as patch:
        patch.setattr(PretrainStep, "update", update)
        with pytest.raises(StoppedError):  # in the middle of the second epoch
            pretrained(tmp_path / "parts", RECIPE, textile_views)
    pretrained(tmp_path / "parts", RECIPE, textile_views, resume=True)
    ends = [read(max((tmp_path / p / "checkpoints").glob("step-*"))).tensors for p in ("whole", "parts")]
    assert ends[0].keys() == ends[1].keys()
    assert [name for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])] == []
    told = [
        [(r.epoch, r.loss, r.effective_rank) for r in read_pretrain_history(tmp_path / p / "history.csv")[1:]]
        for p in ("whole", "parts")
    ]
    assert told[0] == told[1]


def test_other_images_are_refused(textile_views, tmp_path):
    pretrained(tmp_path, replace(RECIPE, epochs=1), textile_views)
    fewer = type(textile_views)(
        textile_views._pixels, textile_views._plain, textile_views._augmentation, textile_views.views
    )
    fewer.count -= 1
    with pytest.raises(DataError, match="images: 24 → 23"):
        pretrained(tmp_path, RECIPE, fewer, resume=True)


def gradients(
    textile_views: Any, micro_batch: int, most: int = 99
) -> tuple[float, dict[str, Any], list[int]]:
    """The gradients of one step, through a net that takes at most so many inputs at once."""
    net, _ = tiny(RECIPE)
    net.requires_grad_(True)
    net.learn_modes()
    forward = net.encoder.forward

    def limited(inputs: Any) -> Any:
        if len(inputs) > most:
            raise torch.OutOfMemoryError("CUDA out of memory (in a test)")
        return forward(inputs)

    net.encoder.forward = limited  # type: ignore[method-assign]
    halved: list[int] = []

    def halve() -> int:
        halved.append((halved or [micro_batch])[-1] // 2)
        return halved[-1]

    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    step = PretrainStep(
        net, optimizer, loss_of("simclr", 0.2), ProcessGroup(torch.device("cpu")), "fp32", 1.0
    )
    drawn = textile_views.draw(np.arange(12), torch.Generator().manual_seed(0))
    loss = step.gradients(drawn, 12, textile_views.views, micro_batch, halve)
    found = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return loss, found, halved


def test_parts_of_a_batch_have_the_loss_and_gradients_of_the_whole(textile_views):
    whole, first, _ = gradients(textile_views, 12)
    parts, second, halved = gradients(textile_views, 5)
    assert parts == pytest.approx(whole, rel=1e-5)
    assert halved == []
    assert first.keys() == second.keys()
    largest = {name: float(gradient.abs().max()) for name, gradient in first.items()}
    # What is added before a batch normalisation has no gradient but rounding: all others are its measure.
    largest["projector.layers.0.bias"] = max(largest.values())
    for name, gradient in first.items():
        assert torch.allclose(gradient, second[name], rtol=1e-3, atol=1e-5 * largest[name]), name


def test_a_batch_that_does_not_fit_passes_in_parts(textile_views):
    whole, first, _ = gradients(textile_views, 12)
    loss, second, halved = gradients(textile_views, 12, most=7)
    assert halved == [6, 3]
    assert loss == pytest.approx(whole, rel=1e-5)
    name = next(iter(first))
    assert torch.allclose(first[name], second[name], rtol=1e-3, atol=1e-5 * float(first[name].abs().max()))


def test_a_learning_rate_that_ruins_the_features_is_named(textile_views, tmp_path):
    with pytest.raises(TrainingError, match=r"collapsed in epoch 1.*learning rate is too high"):
        pretrained(tmp_path, replace(RECIPE, lr=30.0, warmup=0.0), textile_views)


def test_images_that_are_all_the_same_are_refused(textile_views, tmp_path):
    same = type(textile_views)(
        textile_views._pixels, textile_views._plain, textile_views._augmentation, textile_views.views
    )
    shown = same.plain
    same.plain = lambda places, device: shown(np.zeros_like(places), device)
    with pytest.raises(TrainingError, match="all but identical"):
        pretrained(tmp_path, RECIPE, same)


def test_out_of_time_keeps_what_there_is(textile_views, tmp_path: Path):
    _, result = pretrained(tmp_path, replace(RECIPE, epochs=500, budget_seconds=0.5), textile_views)
    assert result.stopped_because == "budget"
    assert result.epoch >= 1
