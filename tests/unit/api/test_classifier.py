"""`EyebrightClassifier` as users of scikit-learn have it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone, is_classifier  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402
from sklearn.utils import estimator_checks  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import eyebright as eb  # noqa: E402
from eyebright.errors import ConfigError, DataError  # noqa: E402

EACH = 9
#: Checks of scikit-learn that need no data. The others fit tables of numbers (N, D), which are no images, as
#: `__sklearn_tags__` says: scikit-learn leaves them out. The tests below hold their points on photographs.
WITHOUT_DATA = (
    "check_estimator_repr",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)


def classifier(**options: Any) -> eb.EyebrightClassifier:
    return eb.EyebrightClassifier(**{"size": 64, "layers": "texture", "folds": 2, **options})


@pytest.fixture(scope="module")
def photos(textile: Path) -> tuple[list[str], Any]:
    """Paths of two classes, and their labels, which are numbers."""
    files = [sorted((textile / "train" / name).glob("*.jpg"))[:EACH] for name in ("global", "nominal")]
    return [str(file) for some in files for file in some], np.repeat([7, 3], EACH)


@pytest.fixture(scope="module")
def fitted(photos: tuple[list[str], Any]) -> eb.EyebrightClassifier:
    return classifier().fit(*photos)


def test_paths_pillow_images_and_arrays_are_the_same(
    fitted: eb.EyebrightClassifier, photos: tuple[list[str], Any]
) -> None:
    paths = photos[0][::5]
    opened = [Image.open(path).convert("RGB") for path in paths]
    expected = fitted.predict_proba(paths)
    assert np.array_equal(fitted.predict_proba(opened), expected)
    assert np.array_equal(fitted.predict_proba(np.stack([np.asarray(image) for image in opened])), expected)
    assert np.allclose(expected.sum(axis=1), 1, atol=1e-5)


def test_labels_come_back_as_they_were_given(
    fitted: eb.EyebrightClassifier, photos: tuple[list[str], Any]
) -> None:
    assert fitted.classes_.tolist() == [3, 7]
    predicted = fitted.predict(photos[0])
    assert predicted.dtype == photos[1].dtype
    assert np.array_equal(predicted, fitted.classes_[fitted.predict_proba(photos[0]).argmax(axis=1)])
    assert fitted.score(*photos) == np.mean(predicted == photos[1]) > 0.7
    assert fitted.metrics_["accuracy"]["value"] > 0.5
    assert fitted.run_ is None


def test_it_is_cloned_pickled_and_told_to_be_a_classifier(
    fitted: eb.EyebrightClassifier, photos: tuple[list[str], Any]
) -> None:
    assert is_classifier(fitted)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError, match="Call fit first"):
        copy.predict(photos[0])
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(photos[0][:2]), fitted.predict_proba(photos[0][:2]))
    with pytest.raises(ConfigError, match="must be one of backbone"):
        copy.set_params(depth=3)


def test_it_is_validated_searched_and_put_into_a_pipeline(photos: tuple[list[str], Any]) -> None:
    assert cross_val_score(classifier(), *photos, cv=2).shape == (2,)
    search = GridSearchCV(classifier(), {"size": [32, 64]}, cv=2).fit(*photos)
    assert search.best_params_["size"] in (32, 64)
    assert search.best_estimator_.predict(photos[0][:1]).shape == (1,)
    opened = FunctionTransformer(lambda paths: [Image.open(path).convert("L") for path in paths])
    pipeline = make_pipeline(opened, classifier()).fit(*photos)
    assert pipeline.predict_proba(photos[0][:3]).shape == (3, 2)


def test_what_are_no_images_is_refused(photos: tuple[list[str], Any]) -> None:
    with pytest.raises(ConfigError, match="tables of numbers"):
        classifier().fit(np.zeros((4, 3)), [0, 1, 0, 1])
    with pytest.raises(ConfigError, match="one label for each image"):
        classifier().fit(photos[0], [0, 1])
    with pytest.raises(ConfigError, match="into a list"):
        classifier().fit("cat.jpg", [0])
    with pytest.raises(DataError, match="at least one image"):
        classifier().fit([], [])


@parametrize_with_checks([classifier()])
def test_the_checks_that_scikit_learn_chooses(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_the_checks_that_need_no_data(name: str) -> None:
    getattr(estimator_checks, name)("EyebrightClassifier", classifier())


def test_the_base_does_not_import_scikit_learn() -> None:
    code = "import sys, eyebright; eyebright.EyebrightClassifier(); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
