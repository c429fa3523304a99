"""The plane keeps what is alike together, and is the same every time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from eyebright.explaining.projection import principal, project
from eyebright.types import FloatArray


@pytest.fixture(scope="module")
def pixels() -> tuple[FloatArray, np.ndarray]:
    """300 handwritten digits (8 x 8 pixels, scikit-learn) and which they are."""
    from sklearn.datasets import load_digits

    images, truth = load_digits(return_X_y=True)
    return images[:300].astype(np.float32), truth[:300]


def neighbours_alike(points: FloatArray, truth: np.ndarray) -> float:
    """Share of points whose nearest neighbour is of the same class."""
    distances = ((points[:, None] - points) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((truth[distances.argmin(axis=1)] == truth).mean())


def test_principal_components_are_those_of_scikit_learn(pixels: tuple[FloatArray, np.ndarray]):
    from sklearn.decomposition import PCA

    varied = pixels[0][:, pixels[0].std(axis=0) > 1]
    standard = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    expected = PCA(5, random_state=0).fit_transform(standard) / np.sqrt(varied.shape[1])
    for some in (slice(None), slice(150)):
        expected = PCA(5, svd_solver="full").fit_transform(
            (varied[some] - varied[some].mean(axis=0)) / varied[some].std(axis=0)
        ) / np.sqrt(varied.shape[1])
        np.testing.assert_allclose(np.abs(principal(varied[some], 5)), np.abs(expected), atol=2e-3)


def test_digits_of_a_kind_lie_together_and_always_in_the_same_place(pixels: tuple[FloatArray, np.ndarray]):
    pytest.importorskip("openTSNE", reason="needs eyebright[map]")
    features, truth = pixels
    found = project(features, seed=0)
    assert found.method == "t-SNE"
    assert found.points.shape == (300, 2)
    assert found.points.min() >= 0
    assert found.points.max() <= 1
    assert neighbours_alike(found.points, truth) > 0.9
    np.testing.assert_array_equal(project(features, seed=0).points, found.points)


def test_without_the_extra_it_is_the_main_components(
    pixels: tuple[FloatArray, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    features, truth = pixels
    found = project(features, seed=0)
    assert found.method == "PCA"
    assert 0.4 < neighbours_alike(found.points, truth) < 0.9


def test_images_that_are_all_alike_lie_in_one_place():
    flat = np.ones((5, 3), np.float32)
    assert np.isfinite(principal(flat, 50)).all()
