"""Early stopping, by what held-out results tell."""

from __future__ import annotations

import math

from eyebright.training.finetune.early_stopping import Stopping


def test_stopping_waits_for_a_gain_that_counts():
    stopping = Stopping("loss", min_delta=0.1, patience=2)
    gains = [stopping.update(n, loss, 0.5) for n, loss in enumerate((1.0, 0.95, 0.5, 0.45))]
    assert gains == [True, False, True, False]
    assert (stopping.best_epoch, stopping.exhausted()) == (2, False)
    assert not stopping.update(4, math.nan, 0.5)
    assert stopping.exhausted()


def test_epochs_that_do_not_count_use_up_no_patience():
    stopping = Stopping("loss", min_delta=0.0, patience=2)
    for epoch, loss in enumerate([0.1, 0.5, 0.6, 0.7, 0.8]):
        stopping.update(epoch, loss, 0.5, counts=False)
    assert not stopping.exhausted()
    stopping.update(5, 0.6, 0.5)
    stopping.update(6, 0.6, 0.5)
    assert stopping.exhausted()


def test_what_training_began_with_does_not_use_up_the_patience() -> None:
    stopping = Stopping("loss", min_delta=0.0, patience=2)
    kept = [stopping.update(epoch, loss, 0.5) for epoch, loss in enumerate([0.1, 0.9, 0.7, 0.5, 0.3, 0.2])]
    assert kept == [True, False, False, False, False, False]  # the start is still the best
    assert not stopping.exhausted()  # but every epoch gained on the one before
    assert stopping.update(6, 0.05, 0.5)
    assert stopping.best_epoch == 6
    stopping.update(7, 0.06, 0.5)
    stopping.update(8, 0.06, 0.5)
    assert stopping.exhausted()


def test_stopping_may_look_at_accuracy_and_may_never_stop():
    stopping = Stopping("accuracy", min_delta=0.0, patience=0)
    assert [stopping.update(n, 1.0, a) for n, a in enumerate((0.5, 0.7, 0.6))] == [True, True, False]
    assert not stopping.exhausted()


def test_a_loss_that_is_no_number_is_worse_than_any():
    stopping = Stopping("loss", min_delta=0.1, patience=2)
    losses = (math.nan, math.nan, 1.0, math.nan, 0.5)
    kept = [stopping.update(epoch, loss, 0.5) for epoch, loss in enumerate(losses)]
    assert kept == [True, False, True, False, True]  # the first is kept, so that there is one
    assert (stopping.best, stopping.waited) == (0.5, 0)
    for epoch in (5, 6):
        stopping.update(epoch, math.nan, 0.5)
    assert stopping.exhausted()
