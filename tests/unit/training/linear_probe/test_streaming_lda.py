"""The head from sums: the closed form's on the same rows, and nearly as accurate as the logistic head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.folder import scan
from eyebright.data.manifest import Manifest, Sample
from eyebright.runtime.progress import SILENT
from eyebright.training.linear_probe import streaming_lda as large
from eyebright.training.linear_probe.class_statistics import FeatureStatistics
from eyebright.training.linear_probe.closed_form import solve
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.streaming_lda import fit_large
from eyebright.types import IntArray

TAPS = feature_layer_sets(embedded.card())["texture"][
    2:3
]  # few features, so that the many fits below are quick


@pytest.fixture(scope="module")
def manifest(digits: Path) -> Manifest:
    return scan(digits, val=0.3)


@pytest.fixture(scope="module")
def extractor(manifest: Manifest, feature_cache: Path) -> FeatureExtractor:
    made = FeatureExtractor(
        feature_cache,
        EmbeddedBackbone(),
        training_preprocessing(embedded.card(), 64),
        TAPS,
        "onnxruntime float32",
        1,
    )
    with SILENT.task("", len(manifest.samples)) as task:
        assert made.compute(manifest.root, manifest.samples, task) == []
    return made


def truth_of(samples: tuple[Sample, ...]) -> IntArray:
    return np.array([int(s.label) for s in samples], np.int64)


def fitted(extractor: FeatureExtractor, samples: tuple[Sample, ...]) -> tuple[HeadFit, IntArray]:
    with SILENT.task("", len(samples)) as task:
        return fit_large(extractor, samples, truth_of(samples), np.arange(len(samples)), task)


@pytest.fixture(scope="module")
def fit_and_truth(extractor: FeatureExtractor, manifest: Manifest) -> tuple[HeadFit, IntArray]:
    return fitted(extractor, manifest.of("train"))


def accuracy(fit: HeadFit, extractor: FeatureExtractor, samples: tuple[Sample, ...]) -> float:
    logits = fit.head.logits(extractor.read(samples, TAPS))
    return float((logits.argmax(axis=1) == truth_of(samples)).mean())


def test_it_is_the_closed_form_of_all_rows(extractor, manifest: Manifest, fit_and_truth) -> None:
    samples, (fit, _) = manifest.of("train"), fit_and_truth
    statistics = FeatureStatistics.empty(width(TAPS), 10)
    statistics.add(extractor.read(samples, TAPS), truth_of(samples))
    whole = solve(statistics, fit.l2)
    rows = extractor.read(manifest.of("val"), TAPS)
    np.testing.assert_allclose(fit.head.logits(rows), whole.logits(rows), rtol=1e-3, atol=1e-2)


def test_chunks_do_not_change_it(extractor, manifest: Manifest, fit_and_truth, monkeypatch) -> None:
    whole, truth = fit_and_truth
    monkeypatch.setattr(large, "_CHUNK_ROWS", 37)
    parts, same = fitted(extractor, manifest.of("train"))
    assert parts.l2 == whole.l2
    np.testing.assert_array_equal(truth, same)
    np.testing.assert_allclose(parts.head.weights, whole.head.weights, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(parts.held_out, whole.held_out, rtol=1e-2, atol=1e-2)


def test_it_is_nearly_as_accurate_as_the_logistic_head(extractor, manifest: Manifest, fit_and_truth) -> None:
    samples = manifest.of("train")
    logistic = fit_head(extractor.read(samples, TAPS), truth_of(samples), 10)
    ours, theirs = (accuracy(fit, extractor, manifest.of("val")) for fit in (fit_and_truth[0], logistic))
    assert theirs > 0.9
    assert ours > theirs - 0.03


def test_its_held_out_logits_are_of_images_it_had_not_seen(extractor, manifest, fit_and_truth) -> None:
    fit, truth = fit_and_truth
    samples = manifest.of("train")
    held_out = float((fit.held_out.argmax(axis=1) == truth).mean())
    assert len(truth) == pytest.approx(len(samples) / 3, abs=12)
    assert held_out == pytest.approx(accuracy(fit, extractor, manifest.of("val")), abs=0.06)
    assert held_out < accuracy(fit, extractor, samples)


def test_copies_lie_in_one_fold(extractor, manifest: Manifest) -> None:
    """Few images, each three times: with copies in other folds, the held-out answers would be as good."""
    samples = manifest.of("train")[::6]
    groups = np.repeat(np.arange(len(samples)), 3)
    repeated = tuple(s for s in samples for _ in range(3))
    with SILENT.task("", len(repeated)) as task:
        fit, truth = fit_large(extractor, repeated, truth_of(repeated), groups, task)
    held_out = float((fit.held_out.argmax(axis=1) == truth).mean())
    assert len(truth) % 3 == 0
    assert held_out < accuracy(fit, extractor, samples) - 0.02


def test_a_rare_class_is_learnt_wherever_its_images_stand(extractor, manifest: Manifest) -> None:
    """Two images of a class among hundreds: no fold's training part may be left without the class."""
    samples = manifest.of("train")
    zeros = [s for s in samples if s.label == "0"]
    others = [s for s in samples if s.label != "0"]
    for place in range(1, 4):
        fit, _ = fitted(extractor, (zeros[0], *others[: place - 1], zeros[1], *others[place - 1 :]))
        assert np.isfinite(fit.head.weights).all()


def test_a_class_whose_images_are_copies_is_learnt(extractor, manifest: Manifest) -> None:
    samples = manifest.of("train")
    zero = next(s for s in samples if s.label == "0")
    given = (zero, zero, *(s for s in samples if s.label != "0"))
    groups = np.maximum(np.arange(len(given)) - 1, 0)
    with SILENT.task("", len(given)) as task:
        fit, truth = fit_large(extractor, given, truth_of(given), groups, task)
    assert np.isfinite(fit.head.weights).all()
    assert 0 not in truth
