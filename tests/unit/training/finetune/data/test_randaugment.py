"""RandAugment and TrivialAugmentWide: the same changes as torchvision's, equally often."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from PIL import Image
from torchvision.transforms import v2

from eyebright.training.finetune.data.randaugment import COLUMNS, FILL, Operation, Policy, apply, operations

SIDE = 224  # at which torchvision's translation of 32 pixels is ours


@pytest.fixture(scope="module")
def cat(photographs: dict[str, Image.Image]) -> torch.Tensor:
    image = photographs["cat"].resize((SIDE, SIDE))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def drawn(policy: Policy, count: int) -> list:
    return operations(policy, torch.rand(count, COLUMNS, generator=torch.Generator().manual_seed(0)))


def test_what_randaugment_does_we_do(cat: torch.Tensor) -> None:
    todo = {one for several in drawn("randaugment", 300) for one in several}
    check_among(cat, todo, v2.RandAugment(num_ops=1, fill=FILL))


def test_what_trivial_augment_does_we_do(cat: torch.Tensor) -> None:
    """At the strongest and the weakest; between them the strengths are evenly spaced."""
    chances = torch.rand(400, COLUMNS, generator=torch.Generator().manual_seed(0))
    chances[:, 1] = torch.where(chances[:, 1] < 0.5, 0.0, 0.9999)
    todo = {one for several in operations("trivial", chances) for one in several}
    check_among(cat, todo, v2.TrivialAugmentWide(fill=FILL, num_magnitude_bins=2))
    strengths = sorted({s for several in drawn("trivial", 9000) for n, s in several if n == "shear_x"})
    np.testing.assert_allclose(strengths, np.linspace(-0.99, 0.99, 61), atol=1e-9)


def check_among(image: torch.Tensor, ours: set[Operation], theirs: torch.nn.Module) -> None:
    """Whatever torchvision makes of the image is what we make of it too, but for rounded strengths."""
    made = {apply(image, [one]) for one in sorted(ours)}
    known = {one.numpy().tobytes() for one in made}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(40):
            their = theirs(image)
            if their.numpy().tobytes() not in known:
                assert min((one.float() - their.float()).abs().mean() for one in made) < 0.02


def test_randaugment_does_two_things_and_trivial_one() -> None:
    assert {len(o) for o in drawn("randaugment", 50)} == {2}
    assert {len(o) for o in drawn("trivial", 50)} == {1}


def test_all_are_equally_likely_and_to_both_sides() -> None:
    counts = Counter(name for several in drawn("trivial", 14_000) for name, _ in several)
    assert len(counts) == 14
    assert all(850 < count < 1150 for count in counts.values())
    angles = [
        strength for several in drawn("trivial", 14_000) for name, strength in several if name == "rotate"
    ]
    assert min(angles) == -135
    assert max(angles) == 135
    assert {abs(s) for several in drawn("randaugment", 500) for n, s in several if n == "rotate"} == {9.0}


def test_operations_follow_one_another(cat: torch.Tensor) -> None:
    both = apply(cat, [("posterize", 4.0), ("brightness", 0.5)])
    assert torch.equal(both, apply(apply(cat, [("posterize", 4.0)]), [("brightness", 0.5)]))
    assert torch.equal(apply(cat, []), cat)
