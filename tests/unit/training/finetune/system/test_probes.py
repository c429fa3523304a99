"""Short trials before a training, also where memory does not hold many images at once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from finetune_material import Gluttonous, Photographs, cross_entropy  # noqa: E402

from eyebright.training.finetune.recipe import Recipe  # noqa: E402
from eyebright.training.finetune.system.distributed import ProcessGroup  # noqa: E402
from eyebright.training.finetune.system.lr_range_test import RateTest  # noqa: E402
from eyebright.training.finetune.system.probes import choose_precision, rate_test  # noqa: E402

TEAM = ProcessGroup(torch.device("cpu"))


def sought(net: Gluttonous, data: Photographs, micro_batch: int | None = None) -> RateTest:
    optimizer = torch.optim.SGD([{"params": list(net.parameters()), "lr": 1.0, "lr_scale": 1.0}])
    recipe = Recipe(batch=16, micro_batch=micro_batch, device="cpu")
    return rate_test(net, data, cross_entropy, optimizer, TEAM, recipe)


def test_rates_are_tried_with_as_many_images_as_fit(textile_data):
    greedy, told = Gluttonous(textile_data.classes, most=5), Gluttonous(textile_data.classes, most=5)
    whole = sought(Gluttonous(textile_data.classes), textile_data)
    found, same = sought(greedy, textile_data), sought(told, textile_data, micro_batch=5)
    assert (greedy.refused, told.refused) == (2, 0)  # at 16 and 8, once
    for seen in (found, same):
        assert seen.losses[:20] == pytest.approx(whole.losses[:20], rel=1e-3)
    assert all(parameter.grad is None for parameter in greedy.parameters())


def test_formats_are_compared_and_leave_nothing(textile_data):
    class Plain(Gluttonous):
        def forward(self, inputs):
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("not implemented for 'BFloat16'")
            return super().forward(inputs)

    net = Plain(textile_data.classes, most=8)
    chosen, trials = choose_precision(net, textile_data, cross_entropy, TEAM, seed=0, batch=8)
    assert chosen == "fp32"
    assert [trial.agrees for trial in trials] == [True, False]
    assert net.refused == 0
    assert all(parameter.grad is None for parameter in net.parameters())
