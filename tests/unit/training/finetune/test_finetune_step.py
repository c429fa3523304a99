"""One step: how it is cut into parts, and what is said where the weights cannot move."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

import numpy as np  # noqa: E402
from finetune_material import cross_entropy  # noqa: E402

from eyebright.errors import TrainingError  # noqa: E402
from eyebright.training.finetune.step import OptimizerStep, StepBatch, make_micro_batches  # noqa: E402
from eyebright.training.finetune.system.distributed import ProcessGroup  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("images", "most", "sizes"),
    [(40, 32, [20, 20]), (40, 40, [40]), (40, 99, [40]), (41, 20, [14, 14, 13]), (3, 1, [1, 1, 1])],
)
def test_parts_are_about_equal_and_together_the_batch(textile_data, images, most, sizes):
    cut = StepBatch(0, 0, np.arange(images))
    parts = make_micro_batches(textile_data, cut, ProcessGroup(CPU), most, seed=0)
    (whole,) = make_micro_batches(textile_data, cut, ProcessGroup(CPU), images, seed=0)
    assert [len(part.inputs) for part in parts] == sizes
    assert [part.row for part in parts] == np.cumsum([0, *sizes[:-1]]).tolist()
    assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs)
    assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)


def test_a_process_may_have_no_row_of_a_small_step(textile_data):
    cut = StepBatch(0, 0, np.arange(2))
    parts = [
        make_micro_batches(textile_data, cut, ProcessGroup(CPU, rank, 3), 4, seed=0) for rank in range(3)
    ]
    assert [[part.row for part in own] for own in parts] == [[], [0], [1]]


def test_no_room_for_the_sum_of_the_gradients_is_told():
    class Crowded(ProcessGroup):
        def sum_gradients(self, net: Any, *figures: Any) -> list[Any]:
            raise torch.OutOfMemoryError("CUDA out of memory (in a test)")

    net = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    stepper = OptimizerStep(net, optimizer, cross_entropy, Crowded(CPU), "fp32", seed=0, clip_norm=None)
    with pytest.raises(TrainingError, match="optimiser state must fit"):
        stepper.update(torch.zeros(()))
