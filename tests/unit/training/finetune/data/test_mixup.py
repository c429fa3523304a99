"""MixUp and CutMix: labels are mixed as the pixels are, whatever part of a batch is asked for."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from data_material import generator

from eyebright.training.finetune.data.mixup import Mixing, before, plan_mix

SIZE, COUNT = 40, 500
ALL = torch.arange(COUNT)


def ones_and_zeros() -> tuple[torch.Tensor, torch.Tensor]:
    """Images that are all 1, and partners that are all 0."""
    return torch.ones(COUNT, 3, SIZE, SIZE), torch.zeros(COUNT, 3, SIZE, SIZE)


@pytest.mark.parametrize("how", [Mixing(0.4), Mixing(cutmix=1.0), Mixing(0.4, 1.0)])
def test_labels_have_the_share_of_the_pixels(how: Mixing) -> None:
    mixed = plan_mix(how, COUNT, SIZE, generator())
    pixels = mixed.pixels(ALL, *ones_and_zeros())
    labels = mixed.rows(ALL, torch.ones(COUNT, 4), torch.zeros(COUNT, 4))
    assert torch.allclose(pixels.mean((1, 2, 3)), labels[:, 0], atol=1e-5)
    assert 0.4 < labels.mean() < 0.75  # rectangles are cut off at the edges


def test_mixup_is_even_and_cutmix_is_a_rectangle() -> None:
    up = plan_mix(Mixing(0.4), COUNT, SIZE, generator()).pixels(ALL, *ones_and_zeros())
    assert (up.std((1, 2, 3)) == 0).all()
    cut = plan_mix(Mixing(cutmix=1.0), COUNT, SIZE, generator()).pixels(ALL, *ones_and_zeros())
    assert set(cut.unique().tolist()) == {0.0, 1.0}
    for image in 1 - cut[:, 0]:  # from the partner
        high, wide = int(image.amax(1).sum()), int(image.amax(0).sum())
        assert image.sum() == high * wide


def test_where_both_are_on_each_image_gets_one() -> None:
    mixed = plan_mix(Mixing(0.4, 1.0), COUNT, SIZE, generator())
    assert 0.42 < mixed.cut.float().mean() < 0.58
    even = mixed.pixels(ALL, *ones_and_zeros()).std((1, 2, 3)) == 0
    assert even[~mixed.cut].all()
    assert not even[mixed.cut].all()


@pytest.mark.parametrize(("strength", "extreme"), [(0.1, 0.8), (8.0, 0.0)])
def test_the_parameter_says_how_much_is_mixed(strength: float, extreme: float) -> None:
    shares = plan_mix(Mixing(strength), COUNT, SIZE, generator()).shares
    found = float(((shares < 0.1) | (shares > 0.9)).float().mean())
    assert found > extreme if extreme else found == 0
    assert 0.45 < shares.mean() < 0.55


def test_only_the_generator_decides() -> None:
    state = torch.get_rng_state()
    one, same, other = (plan_mix(Mixing(1.0), COUNT, SIZE, generator(s)).shares for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_partners_stand_before() -> None:
    assert before(slice(3, 6), 8).tolist() == [2, 3, 4, 5]
    assert before(slice(0, 2), 8).tolist() == [7, 0, 1]
    assert before(slice(0, 1), 1).tolist() == [0, 0]


def test_nothing_is_mixed_by_default() -> None:
    assert not Mixing()
    assert Mixing(0.1)
    assert Mixing(cutmix=0.1)
