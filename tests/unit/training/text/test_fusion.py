"""The fused head: texts that help, texts that do not, and images without one."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.training.text.fusion import TextFit, fit_text_head
from eyebright.training.text.ngrams import fit_ngrams
from eyebright.types import FloatArray, IntArray

_WORDS = ("hooded warm sweatshirt", "short running trousers", "sleeveless light top")


def _image_logits(truth: IntArray, strength: float) -> FloatArray:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(len(truth), 3)).astype(np.float32)
    logits[np.arange(len(truth)), truth] += strength
    return logits


def _fit(texts: list[str], truth: IntArray, strength: float) -> TextFit:
    fit = fit_text_head(
        fit_ngrams(texts),
        texts,
        _image_logits(truth, strength),
        truth,
        groups=np.arange(len(truth)),
        seed=0,
    )
    assert fit is not None
    return fit


def _accuracy(logits: FloatArray, truth: IntArray) -> float:
    return float((logits.argmax(axis=1) == truth).mean())


def test_telling_texts_add_to_the_image_and_missing_ones_cost_nothing() -> None:
    truth = np.arange(120) % 3
    texts = [f"{_WORDS[label] if i % 4 else 'article'} number {i}" for i, label in enumerate(truth)]
    texts[5] = texts[7] = ""
    image = _image_logits(truth, 1.0)
    fit = _fit(texts, truth, 1.0)
    both = fit.head.fused(image, texts)
    assert _accuracy(both, truth) > _accuracy(image, truth) + 0.1
    np.testing.assert_array_equal(both[[5, 7]], image[[5, 7]])
    np.testing.assert_array_equal(fit.head.fused(image, [""] * len(truth)), image)
    assert fit.loss["both"] < min(fit.loss["image"], fit.loss["text"])


def test_worthless_texts_are_not_counted() -> None:
    truth = np.arange(120) % 3
    rng = np.random.default_rng(1)
    texts = [f"lot {rng.integers(1000)} shelf {rng.integers(1000)}" for _ in truth]
    image = _image_logits(truth, 2.0)
    fit = _fit(texts, truth, 2.0)
    assert _accuracy(fit.head.fused(image, texts), truth) >= _accuracy(image, truth) - 0.02


def test_worthless_images_are_not_counted() -> None:
    truth = np.arange(120) % 3
    texts = [f"{_WORDS[label]} {i}" for i, label in enumerate(truth)]
    fit = _fit(texts, truth, 0.0)
    assert _accuracy(fit.head.fused(_image_logits(truth, 0.0), texts), truth) == 1


def test_labels_have_a_fused_head_too() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random((90, 3)) < 0.4).astype(np.int64)
    texts = [
        " and ".join(w for w, there in zip(_WORDS, row, strict=True) if there) or "none" for row in truth
    ]
    image = rng.normal(size=truth.shape).astype(np.float32)
    fit = fit_text_head(fit_ngrams(texts), texts, image, truth, groups=np.arange(90), seed=0)
    assert fit is not None
    assert ((fit.head.fused(image, texts) > 0) == (truth > 0)).all(axis=1).mean() > 0.9


def test_texts_of_weightless_images_teach_nothing() -> None:
    truth = np.arange(120) % 3
    texts = [f"{_WORDS[label]} number {i}" for i, label in enumerate(truth)]
    wrong = np.where(np.arange(120) < 60, truth, (truth + 1) % 3)
    weights = np.where(np.arange(120) < 60, 1.0, 1e-3).astype(np.float32)
    fit = fit_text_head(
        fit_ngrams(texts),
        texts,
        np.zeros((120, 3), np.float32),
        wrong,
        groups=np.arange(120),
        seed=0,
        weights=weights,
    )
    assert fit is not None
    assert _accuracy(fit.head.logits(texts)[0], truth) > 0.9


@pytest.mark.parametrize("texts", [["", ""], ["word", ""]])
def test_too_few_texts_make_no_head(texts: list[str]) -> None:
    image = np.zeros((2, 2), np.float32)
    fit = fit_text_head(fit_ngrams(texts), texts, image, np.arange(2), groups=np.arange(2), seed=0)
    assert fit is None
