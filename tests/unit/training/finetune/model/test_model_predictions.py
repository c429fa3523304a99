"""What a trained network answers, also where memory does not hold many images at once."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

import numpy as np  # noqa: E402
from finetune_material import Gluttonous, Photographs  # noqa: E402

from eyebright.errors import TrainingError  # noqa: E402
from eyebright.training.finetune.model.predictions import holdout_logits, image_logits, step_seconds  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize("most", [5, 1])
def test_held_out_images_are_asked_about_as_memory_allows(textile_data: Photographs, most: int) -> None:
    expected, truth = holdout_logits(Gluttonous(textile_data.classes), textile_data, CPU)
    found, same = holdout_logits(Gluttonous(textile_data.classes, most), textile_data, CPU)
    assert len(truth) == textile_data.holdout_count > 5
    np.testing.assert_array_equal(truth, same)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_squares_that_come_but_once_are_asked_about_as_memory_allows(textile_data: Photographs) -> None:
    squares = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
    expected = image_logits(Gluttonous(3), iter(squares), CPU)
    greedy = Gluttonous(3, most=5)
    found = image_logits(greedy, iter(squares), CPU)
    assert expected.shape == (40, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert greedy.refused == 3  # at 32, 16 and 8: what was found out holds for the images that follow


def test_a_step_is_timed_with_as_many_images_as_fit_and_leaves_nothing() -> None:
    greedy = Gluttonous(3, most=5)
    greedy.net.fc.weight.requires_grad_(False)
    learning = [p.requires_grad for p in greedy.parameters()]
    assert step_seconds(greedy, np.zeros((8, 64, 64, 3), np.uint8)) > 0
    assert greedy.refused == 1
    assert [p.requires_grad for p in greedy.parameters()] == learning
    assert all(p.grad is None for p in greedy.parameters())


def test_an_image_that_does_not_fit_alone_is_told(textile_data: Photographs) -> None:
    net: Any = Gluttonous(textile_data.classes, most=0)
    with pytest.raises(TrainingError, match="even with a single image"):
        holdout_logits(net, textile_data, CPU)
