"""Classes of different size: weights in the loss and in the choice of images."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from eyebright.training.finetune.data.class_balance import class_weights, sample_weights  # noqa: E402
from eyebright.training.finetune.system.seeding import epoch_order  # noqa: E402

TRUTH = np.repeat([0, 1, 2], [600, 60, 6])


def test_by_default_all_count_alike() -> None:
    assert class_weights("none", TRUTH, 3) is None
    assert sample_weights("shuffle", TRUTH) is None


def test_an_image_weighs_one_in_the_mean() -> None:
    weights = class_weights("balanced", TRUTH, 3)
    assert weights is not None
    assert weights.dtype == torch.float32
    assert float(weights[torch.from_numpy(TRUTH)].mean()) == pytest.approx(1, abs=1e-5)


def test_balanced_makes_classes_weigh_alike() -> None:
    balanced = class_weights("balanced", TRUTH, 3)
    assert balanced is not None
    np.testing.assert_allclose(balanced * torch.tensor([600, 60, 6]), [222, 222, 222], rtol=1e-5)


def test_balanced_sampling_shows_classes_equally_often() -> None:
    order = epoch_order(len(TRUTH), 0, 0, sample_weights("balanced", TRUTH))
    shares = np.bincount(TRUTH[order]) / len(order)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.06)
