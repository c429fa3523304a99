"""Losses against torch's cross-entropy, and against the definition of the focal loss."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import binary_cross_entropy, cross_entropy, one_hot  # noqa: E402

from eyebright.training.finetune.data.class_balance import balanced_weights  # noqa: E402
from eyebright.training.finetune.model.losses import (  # noqa: E402
    LabelsLoss,
    SoftTargetLoss,
    TeacherLoss,
    WeightedLoss,
)

WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0])


@pytest.fixture
def batch():
    chance = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(6, 4, generator=chance)
    numbers = torch.tensor([0, 1, 2, 3, 0, 1])
    mixed = torch.softmax(torch.randn(6, 4, generator=chance), dim=1)
    return logits, numbers, mixed


def test_of_hard_targets_it_is_torchs(batch):
    logits, numbers, _ = batch
    expected = cross_entropy(logits, numbers, WEIGHTS, reduction="none")
    targets = one_hot(numbers, 4).float()
    torch.testing.assert_close(SoftTargetLoss(weights=WEIGHTS)(logits, targets), expected)


def test_smoothing_is_torchs_for_class_numbers(batch):
    logits, numbers, _ = batch
    expected = cross_entropy(logits, numbers, reduction="none", label_smoothing=0.1)
    targets = one_hot(numbers, 4).float()
    torch.testing.assert_close(SoftTargetLoss(smoothing=0.1)(logits, targets), expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_smoothing_is_applied_once_to_mixed_targets(batch, gamma: float):
    logits, _, mixed = batch
    by_hand = 0.9 * mixed + 0.1 / 4
    smoothed = SoftTargetLoss(smoothing=0.1, weights=WEIGHTS, gamma=gamma)(logits, mixed)
    torch.testing.assert_close(smoothed, SoftTargetLoss(weights=WEIGHTS, gamma=gamma)(logits, by_hand))


def test_labels_are_questions_of_their_own(batch):
    logits, _, mixed = batch
    expected = binary_cross_entropy(torch.sigmoid(logits), 0.8 * mixed + 0.1, reduction="none").mean(1)
    torch.testing.assert_close(LabelsLoss(smoothing=0.2)(logits, mixed), expected)


def test_focal_loss_is_its_definition(batch):
    logits, numbers, _ = batch
    share = torch.softmax(logits, dim=1)[torch.arange(6), numbers]
    expected = -WEIGHTS[numbers] * (1 - share) ** 2 * share.log()
    targets = one_hot(numbers, 4).float()
    torch.testing.assert_close(SoftTargetLoss(weights=WEIGHTS, gamma=2.0)(logits, targets), expected)


def test_focal_loss_has_a_finite_gradient_where_nothing_is_left_to_learn():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    SoftTargetLoss(gamma=0.5)(logits, torch.tensor([[1.0, 0.0]])).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_balanced_weights_make_classes_equal_and_images_one_in_the_mean():
    counts = [10, 30, 60]
    weights = balanced_weights(counts)
    shares = weights * torch.tensor(counts)
    torch.testing.assert_close(shares, shares[0].expand(3))
    assert float(shares.sum()) == pytest.approx(sum(counts))
    torch.testing.assert_close(balanced_weights([10, 0, 30, 60])[[0, 2, 3]], weights)  # none of one class


def test_a_teachers_share_is_the_divergence_of_softened_probabilities(batch):
    logits, numbers, mixed = batch
    labels = one_hot(numbers, 4).float()
    taught = mixed.log()
    loss = TeacherLoss(SoftTargetLoss(), 4, share=0.75, temperature=2.0, features=0.0)
    teachers, own = (torch.softmax(x / 2, dim=1) for x in (taught, logits))
    divergence = (teachers * (teachers / own).log()).sum(1)
    expected = 0.25 * cross_entropy(logits, numbers, reduction="none") + 0.75 * 4 * divergence
    torch.testing.assert_close(loss(logits, torch.cat([labels, taught], dim=1)), expected)


def test_who_answers_as_the_teacher_does_is_pulled_by_the_labels_alone(batch):
    logits, numbers, _ = batch
    logits = logits.clone().requires_grad_(True)
    loss = TeacherLoss(SoftTargetLoss(), 4, share=1.0, temperature=3.0, features=0.0)
    targets = torch.cat([one_hot(numbers, 4).float(), logits.detach().log_softmax(1)], dim=1)
    loss(logits, targets).sum().backward()
    assert logits.grad.abs().max() < 1e-6


def test_guesses_of_features_count_while_there_are_some(batch):
    logits, numbers, mixed = batch
    features = torch.ones(6, 3)
    targets = torch.cat([one_hot(numbers, 4).float(), mixed.log(), features], dim=1)
    loss = TeacherLoss(SoftTargetLoss(), 4, share=0.5, temperature=2.0, features=0.1)
    guessed = torch.cat([logits, torch.zeros(6, 3)], dim=1)
    torch.testing.assert_close(loss(guessed, targets), loss(logits, targets) + 0.1)


def test_the_last_column_of_the_targets_is_the_weight_of_the_image(batch):
    logits, _, mixed = batch
    weights = torch.tensor([[0.5], [1.0], [2.0], [0.0], [1.0], [1.5]])
    loss = SoftTargetLoss(0.1, WEIGHTS)
    found = WeightedLoss(loss)(logits, torch.cat([mixed, weights], dim=1))
    torch.testing.assert_close(found, loss(logits, mixed) * weights[:, 0])
