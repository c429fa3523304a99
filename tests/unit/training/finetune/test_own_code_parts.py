"""What a user's loss, optimiser and transform are held to."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from eyebright.errors import ConfigError  # noqa: E402
from eyebright.training.finetune.own_code import (  # noqa: E402
    OwnLoss,
    OwnTransform,
    check_loss,
    check_optimizer,
)

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 3.0]])
TARGETS = torch.eye(3)[[0, 1]]


def squares(logits: Tensor, targets: Tensor) -> Tensor:
    """The squared distance of each class."""
    return (logits.softmax(1) - targets).square()


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(reduction="none"),
        nn.CrossEntropyLoss(),
        squares,
        lambda logits, targets: nn.functional.cross_entropy(logits, targets.argmax(1), reduction="none"),
    ],
)
def test_a_loss_may_give_images_labels_or_their_mean(loss: Any) -> None:
    check_loss(loss, 3, weighted=False)
    found = OwnLoss(loss)(LOGITS, TARGETS)
    assert found.shape == (2,)
    torch.testing.assert_close(found.mean(), loss(LOGITS, TARGETS).mean())


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        (lambda logits, targets: 1.0, "one number for each image"),
        (lambda logits, targets: nn.functional.nll_loss(logits, targets), "targets.argmax"),
        (nn.Bilinear(3, 3, 1), "no parameters that learn"),
    ],
)
def test_a_loss_that_cannot_be_used_is_told_before_the_training(loss: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_loss(loss, 3, weighted=False)


def test_a_mean_cannot_be_weighted() -> None:
    with pytest.raises(ConfigError, match="where images have no weights"):
        check_loss(nn.CrossEntropyLoss(), 3, weighted=True)


def test_an_optimiser_of_torch_is_taken() -> None:
    check_optimizer(lambda groups: torch.optim.RMSprop(groups, momentum=0.9))


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        (lambda groups: torch.optim.LBFGS(groups[0]["params"]), "without a closure"),
        (lambda groups: torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1), "0 of|1 of"),
        (lambda groups: None, "torch.optim.Optimizer"),
        (lambda groups: torch.optim.Adam(groups, momentum=1), "momentum"),
    ],
)
def test_an_optimiser_that_cannot_be_driven_is_refused(factory: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_optimizer(factory)


@pytest.fixture
def photograph(photographs: dict[str, Image.Image]) -> Any:
    return np.asarray(photographs["cat"].resize((48, 48)))


def mirrored(image: Tensor) -> Tensor:
    """A transform that takes tensors alone, as those of kornia do."""
    return image.flip(-1).float() / 255


@pytest.mark.parametrize("transform", [ImageOps.mirror, mirrored, lambda image: np.asarray(image)[:, ::-1]])
def test_a_transform_may_take_and_give_any_kind_of_image(
    transform: Callable[[Any], Any], photograph: Any
) -> None:
    [found] = OwnTransform(transform)(photograph[None], np.array([7]))
    assert np.array_equal(found, photograph[:, ::-1])


def test_an_image_of_another_size_is_resized(photograph: Any) -> None:
    [found] = OwnTransform(lambda image: image.crop((0, 0, 30, 20)))(photograph[None], np.array([7]))
    assert found.shape == photograph.shape


def test_chance_is_each_images_own_and_the_processs_is_left_alone(photograph: Any) -> None:
    def noisy(image: Image.Image) -> Any:
        pixels = np.asarray(image) / 255 / 3
        return pixels + random.random() / 3 + np.random.rand() / 6 + float(torch.rand(())) / 6

    transform, pair = OwnTransform(noisy), np.stack([photograph, photograph])
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), float(torch.rand(()))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    both = transform(pair, np.array([3, 4]))
    assert (random.random(), np.random.rand(), float(torch.rand(()))) == expected
    assert not np.array_equal(both[0], both[1])
    assert np.array_equal(transform(pair[1:], np.array([4]))[0], both[1])


@pytest.mark.parametrize(
    ("transform", "problem"),
    [
        (lambda image: (np.asarray(image) / 255 - 0.5) / 0.2, "Leave out Normalize"),
        (lambda image: "an image", "must return an image"),
        (lambda image: image.no_such_method(), "no_such_method"),
    ],
)
def test_a_transform_that_gives_no_image_is_refused(transform: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        OwnTransform(transform)
