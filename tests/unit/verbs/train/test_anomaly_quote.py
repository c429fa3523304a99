"""`train GOOD_ONLY --dry-run`: times from a trial on a few images, and nothing is trained."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from eyebright.errors import ConfigError
from eyebright.training.anomaly.cost import AnomalyImages, ProbedSize
from eyebright.verbs.train.few_labels.quote import quote
from eyebright.verbs.train.options import TrainConfig


@pytest.fixture(scope="module")
def good(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four photographs of good textile."""
    root = tmp_path_factory.mktemp("parts")
    shutil.copytree(textile / "train" / "nominal", root / "good")
    return root


def test_a_quote_of_good_images_has_times_and_trains_nothing(good: Path, tmp_path: Path) -> None:
    found = quote(TrainConfig(data=good, size=96, out=tmp_path / "run", dry_run=True))
    assert found.one_class
    assert found.images == 19
    alone, more = found.rungs
    assert "96 px" in alone.name
    assert alone.cost.endswith(" s")
    assert "2.6 % false alarms in place of 5.0 %" in more.gain
    assert "for 19 good training images" in str(found)
    assert not (tmp_path / "run").exists()


def test_options_that_do_not_fit_are_refused_before_anything_is_measured(good: Path) -> None:
    with pytest.raises(ConfigError, match="--unlabelled"):
        quote(TrainConfig(data=good, unlabelled=good, dry_run=True))


def test_more_images_take_longer_up_to_what_is_drawn_of_them() -> None:
    probed = ProbedSize(
        size=224, places=784, ways=6, extracting=0.1, looking=0.06, fitting=0.5, rows=12 * 784
    )
    few, many, most = (AnomalyImages(good=count, labelled=0, evaluated=50) for count in (60, 600, 6000))
    assert probed.comparing_seconds(few) < probed.comparing_seconds(many)
    assert probed.comparing_seconds(many) == probed.comparing_seconds(most)
    assert probed.learning_seconds(few) < probed.learning_seconds(many) < probed.learning_seconds(most)
    labelled = replace(many, labelled=30)
    assert probed.comparing_seconds(labelled) > probed.comparing_seconds(many)
