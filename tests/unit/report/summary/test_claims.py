"""Claims: targets, promises, rare classes and baselines, on the page, in the card and in both languages."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from report_material import evaluation, several, training

from eyebright.evaluation.decisions.curves import operating_curve
from eyebright.evaluation.decisions.operating import Answers, Labelled, Threshold, check
from eyebright.evaluation.decisions.targets import OperatingTarget
from eyebright.evaluation.uncertainty.conformal import SetRule
from eyebright.evaluation.uncertainty.ood import UnknownRule
from eyebright.evaluation.uncertainty.results import Uncertainty, measure_uncertainty
from eyebright.report.card import model_card
from eyebright.report.content import FinetuneOutcome, ReportContent
from eyebright.report.page import render
from eyebright.report.summary.claims import claims
from eyebright.report.summary.findings import finetuning_sentence
from eyebright.report.summary.headline import verdict
from eyebright.text.language import speaking


def with_target(content: ReportContent, target: OperatingTarget, right: int, count: int) -> ReportContent:
    """``count`` images that the target's metric counts, of which so many are right."""
    answered, positive = np.zeros(count, bool), np.zeros(count, bool)
    if target.figure == "recall":
        answered[:right], positive[:] = True, True
    else:
        answered[right:] = True
    point = check(Threshold(target, 0.4, True, 1.0, "val"), Answers(answered, answered), positive, "test")
    return replace(content, operating_curves=[operating_curve(point, answered.astype(np.float32), positive)])


def uncovered() -> Uncertainty:
    """Sets that hold the true class of 80 of 100 images, 90 % being promised; 30 % of them are unknown."""
    probabilities = np.tile(np.array([[0.7, 0.3]], np.float32), (100, 1))
    truth = (np.arange(100) >= 80).astype(np.int64)
    scores = (np.arange(100) < 30).astype(np.float32)
    return measure_uncertainty(
        ("cat", "dog"),
        Labelled(probabilities, truth, "val"),
        scores,
        UnknownRule(0.5, 0.05, "val", 100),
        SetRule(0.9, 0.5, (0.5, 0.5), False, "val", 100),
    )


def test_a_target_that_is_not_shown_says_what_it_would_take(tmp_path: Path) -> None:
    alarms = OperatingTarget("false_positive_rate", "dog", 0.012)
    content = with_target(evaluation(tmp_path / "images", ("cat", "dog"), 20, 3), alarms, 12, 12)
    page, card = render(content), model_card(content)
    for told in ("false_positive_rate(dog)", "0.012: not shown.", "about 250 images", "there were 12"):
        assert told in page
    assert "not shown. Measured 0.0 %; at most 22.1 % with 95 % confidence." in card.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert '<li class="open">' in page
    with speaking("zh"):
        assert "未证实" in render(content)


def test_missed_and_met_read_as_such(tmp_path: Path) -> None:
    content = evaluation(tmp_path / "images", ("cat", "dog"), 20, 3)
    recall = OperatingTarget("recall", "dog", 0.9)
    (missed, *_) = claims(with_target(content, recall, 20, 30).claimed())
    assert (missed.status, missed.head) == ("broken", "recall(dog) >= 0.9: missed.")
    assert "Its price: recall 66.7" in missed.detail
    (met, *_) = claims(with_target(content, recall, 50, 50).claimed())
    assert (met.status, met.head) == ("kept", "recall(dog) >= 0.9: met.")
    assert "takes about" not in met.detail


def test_broken_promises_read_as_failures(tmp_path: Path) -> None:
    found = uncovered()
    content = replace(evaluation(tmp_path / "images", ("cat", "dog"), 20, 3), uncertainty=found)
    entries: dict[str, Any] = found.to_json()
    assert entries["conformal"]["kept"] is False
    assert entries["unknown"]["kept"] is False
    page = render(content)
    assert page.count("Broken promise") == 2
    assert '<li class="broken">' in page
    assert "Broken promise" in model_card(content)
    with speaking("zh"):
        assert "承诺未兑现" in model_card(content)
    assert found.sets is not None
    assert replace(found, sets=replace(found.sets, coverage=0.8)).coverage_kept


def test_nothing_is_claimed_of_a_rare_class(tmp_path: Path) -> None:
    content = training(tmp_path / "images", ("ok",), 120, 0)
    base = content.metrics.per_class[0]
    bad = replace(base, label="bad", support=1)
    metrics = replace(content.metrics, labels=("ok", "bad"), per_class=(base, bad))
    content = replace(content, metrics=replace(metrics, confusion=np.array([[119, 0], [0, 1]])))
    card = model_card(content)
    doubts = card.split("## What you cannot rely on")[1].split("##")[0]
    assert "bad: measured on 1 image, nothing is known of it." in doubts
    assert "1, too few" not in card.split("## What you cannot rely on")[0]
    assert "| 1: too few to judge |" in card
    assert "too few to judge" in render(content)
    assert "Weakest class: bad" not in " ".join(verdict(content.metrics))


def test_accuracy_stands_beside_the_majority(tmp_path: Path) -> None:
    content = evaluation(tmp_path / "images", ("cat", "dog"), 21, 3)
    assert (content.majority.label, content.majority.share) == ("cat", 11 / 21)
    assert "Always predicting cat would be correct for 52.4" in render(content)
    low = replace(content.metrics, accuracy=replace(content.metrics.accuracy, low=0.5))
    assert "Not shown to be better than always predicting cat" in render(replace(content, metrics=low))
    labels = several(tmp_path / "labels")
    assert "Always predicting" in render(labels)
    assert "always predicting" in render(labels).lower()


def test_fine_tuning_says_what_it_changed(tmp_path: Path) -> None:
    outcome = FinetuneOutcome(
        depth="last",
        kept="off",
        gained=False,
        images=282,
        log_loss_change=0.012,
        accuracy=0.9,
        accuracy_before=0.91,
    )
    content = replace(training(tmp_path / "images"), finetuning=outcome)
    told = "Kept: the frozen backbone. Fine-tuning brought nothing on 282 holdout images"
    assert told in render(content)
    assert told in model_card(content)
    forced = finetuning_sentence(asdict(replace(outcome, kept="last")))
    assert forced.startswith("Last blocks fine-tuned as requested, but it brought nothing")


def test_no_count_is_stated_that_is_not_known(tmp_path: Path) -> None:
    content = evaluation(tmp_path / "images", ("cat", "dog"), 60, 9)
    page, card = render(content), model_card(content)
    assert "0 training images" not in page + card
    assert "training 0" not in card
    assert "Add training images of" in page
