"""The losses are those of lightly for two views, and means over the pairs for more."""

from __future__ import annotations

import json
import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from eyebright.training.pretrain.losses import (  # noqa: E402
    barlow_twins,
    chance,
    loss_of,
    nt_xent,
    vicreg,
)

ORACLE = json.loads(Path(__file__).with_name("lightly_losses.json").read_text())


@pytest.mark.parametrize("case", ORACLE["cases"], ids=lambda case: f"{case['images']} x {case['width']}")
def test_losses_are_those_of_lightly(case):
    drawn = np.random.default_rng(case["seed"]).standard_normal((case["images"], 2, case["width"]))
    projections = torch.from_numpy(drawn)
    for name, value in case["losses"].items():
        method, _, temperature = name.partition(" ")
        found = float(loss_of(method, float(temperature or 1))(projections))
        assert found == pytest.approx(value, rel=1e-6), name


def test_more_views_are_compared_in_pairs_with_all_views_of_other_images():
    z = torch.nn.functional.normalize(torch.randn(5, 3, 7, generator=torch.Generator().manual_seed(0)), dim=2)
    terms = []
    for image in range(5):
        others = [z[j, v] for j in range(5) if j != image for v in range(3)]
        for a, b in permutations(range(3), 2):
            similar = [math.exp(float(z[image, a] @ row) / 0.3) for row in (z[image, b], *others)]
            terms.append(-math.log(similar[0] / sum(similar)))
    assert float(nt_xent(z, 0.3)) == pytest.approx(np.mean(terms), rel=1e-5)


def test_equal_projections_have_the_loss_of_chance():
    assert float(nt_xent(torch.ones(6, 4, 3), 0.2)) == pytest.approx(chance("simclr", 6, 4))
    assert chance("vicreg", 6, 4) is None


@pytest.mark.parametrize("loss", [vicreg, barlow_twins])
def test_losses_without_negatives_are_higher_where_all_is_equal(loss):
    spread = torch.randn(32, 1, 8, generator=torch.Generator().manual_seed(1)).repeat(1, 3, 1)
    assert float(loss(torch.ones(32, 3, 8))) > 2 * float(loss(spread))
