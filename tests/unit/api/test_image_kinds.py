"""Images of every kind that a user has them in, and what is said of anything else."""

from __future__ import annotations

import pickle
import re
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eyebright as eb
from eyebright.errors import ConfigError, DataError, ImageError, NotFoundError
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.types import Prediction


@pytest.fixture(scope="module")
def photograph(textile: Path) -> Path:
    return min((textile / "val").rglob("*.jpg"))


@pytest.fixture(scope="module")
def model(textile_run: Run) -> SealedModel:
    return eb.load(textile_run.model)


def predicted(run: Run, images: Any) -> list[Prediction]:
    found = list(eb.predict(run.directory, images, progress=False))
    predictions = [one for one in found if isinstance(one, Prediction)]
    assert len(predictions) == len(found)
    return predictions


def test_a_run_stands_for_its_path(textile_run: Run, photograph: Path) -> None:
    (found,) = eb.predict(textile_run, photograph, progress=False)
    assert found == predicted(textile_run, photograph)[0]
    assert eb.load(textile_run).labels == textile_run.labels
    with pytest.raises(DataError, match=f"{re.escape(str(textile_run.directory))} was given twice"):
        eb.compare([textile_run, textile_run.directory], progress=False)


def test_bytes_of_any_kind_and_files_get_one_answer(model: SealedModel, photograph: Path) -> None:
    data, named = photograph.read_bytes(), model.predict(photograph)
    with photograph.open("rb") as file:
        for given in (bytearray(data), memoryview(data), BytesIO(data), file):
            found = model.predict(given)
            assert (found.labels, found.probabilities) == (named.labels, named.probabilities)
            assert found.path is None


def test_several_images_may_be_given_in_one_call(textile_run: Run, photograph: Path) -> None:
    pixels = np.asarray(Image.open(photograph))
    [named] = predicted(textile_run, str(photograph))
    for images in (photograph, [photograph], (str(photograph),), BytesIO(photograph.read_bytes()), pixels):
        [found] = predicted(textile_run, images)
        np.testing.assert_allclose(found.probabilities, named.probabilities, atol=1e-6)
    batch = predicted(textile_run, np.stack([pixels, pixels[::-1]]))
    assert [one.path for one in batch] == [None, None]
    np.testing.assert_allclose(batch[0].probabilities, named.probabilities, atol=1e-6)
    folder = predicted(textile_run, photograph.parent)
    assert len(folder) == len(list(photograph.parent.iterdir()))
    mixed = predicted(textile_run, (one for one in (photograph, pixels)))
    assert [one.path for one in mixed] == [str(photograph), None]


@pytest.mark.parametrize("given", [5, [[1, 2]], StringIO("text"), {"a": 1}])
def test_what_is_no_image_is_told_by_its_kind(model: SealedModel, textile_run: Run, given: Any) -> None:
    with pytest.raises(ImageError, match=f"Got {type(given).__name__}"):
        model.predict(given)
    if not isinstance(given, StringIO | dict):  # their items are texts, which are names
        with pytest.raises(ConfigError, match="Images must be paths"):
            eb.predict(textile_run.directory, given)


def test_a_model_is_opened_by_a_path_only() -> None:
    number: Any = 5
    with pytest.raises(ConfigError, match="Got int"):
        eb.load(number)


def test_a_model_is_sent_to_another_process_by_its_path(model: SealedModel, photograph: Path) -> None:
    other = pickle.loads(pickle.dumps(model))
    assert other.path == model.path.absolute()
    assert other.predict(photograph) == model.predict(photograph)


def test_one_value_stands_for_a_list_of_one() -> None:
    with pytest.raises(NotFoundError, match="no/such/run"):
        eb.compare(["no/such/run", "no/such/other"])
    with pytest.raises(ConfigError, match="at least 2 values"):
        eb.compare("no/such/run")
