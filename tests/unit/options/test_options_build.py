"""Options from values and TOML, and how all that is wrong is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from languages import chinese
from pydantic import Field, field_validator

from eyebright.errors import ConfigError, NotFoundError
from eyebright.options.base import Config
from eyebright.verbs.cache.options import CacheConfig, size_bytes
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.train.options import TrainConfig


def test_given_values_win_over_the_file(tmp_path: Path):
    file = tmp_path / "options.toml"
    file.write_text('data = "photos"\nseed = 3\nviews = 2\n')
    config = TrainConfig.build(file, seed=4, views=None)
    assert (config.data, config.seed, config.views) == (Path("photos"), 4, 2)


def test_toml_reads_back(tmp_path: Path):
    config = TrainConfig.build(data=Path("图 像"), val=0.3, size=320)
    file = tmp_path / "config.toml"
    file.write_text(config.toml(), encoding="utf-8")
    assert TrainConfig.build(file) == config


def test_everything_wrong_is_told_at_once_in_both_languages():
    with pytest.raises(ConfigError) as caught:
        TrainConfig.build(size="big", seed=-1, viws=2, lang="fr")
    told = str(caught.value)
    assert "Data or a run to resume must be given." in told
    assert "size must be a whole number or auto; got 'big'." in told
    assert "seed must be at least 0; got -1." in told
    assert "Unknown option viws. The closest are: views" in told
    assert "lang must be en or zh; got 'fr'." in told
    told_in_chinese = chinese(caught.value)
    assert "必须给出" in told_in_chinese
    assert "must" not in told_in_chinese


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"views": 2.5}, "views must be a whole number or auto; got 2.5."),
        ({"views": 17}, "views must be at most 16 or auto; got 17."),
        ({"val": [1]}, "val must be a path or a number; got [1]."),
        ({"data": 3}, "data must be a path; got 3."),
    ],
)
def test_what_a_value_must_be(value: dict[str, object], wanted: str):
    with pytest.raises(ConfigError) as caught:
        TrainConfig.build(**{"data": "photos", **value})
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"images": []}, "images must be a list of at least 1 value; got []."),
        ({"images": ["a"], "null": "perhaps"}, "null must be true or false; got 'perhaps'."),
    ],
)
def test_lists_and_flags(value: dict[str, object], wanted: str):
    with pytest.raises(ConfigError) as caught:
        PredictConfig.build(model="m.onnx", **value)
    assert wanted in str(caught.value)


class _Open(Config):
    share: float = Field(0.5, gt=0, lt=1)
    side: int = Field(32, multiple_of=32)
    name: str = ""

    @field_validator("name")
    @classmethod
    def _no_spaces(cls, value: str) -> str:
        if " " in value:
            raise ConfigError(
                "There is no option {name}; the nearest are: {nearest}.", name=value, nearest="x"
            )
        return value


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"share": 0}, "share must be more than 0.0; got 0."),
        ({"share": 1}, "share must be less than 1.0; got 1."),
        ({"side": 33}, "side must be a multiple of 32; got 33."),
        ({"name": "a b"}, "There is no option a b"),
        ({"name": 3}, "name must be valid (Input should be a valid string); got 3."),
    ],
)
def test_open_limits_multiples_and_own_checks(value: dict[str, object], wanted: str):
    with pytest.raises(ConfigError) as caught:
        _Open.build(**value)
    assert wanted in str(caught.value)


@pytest.mark.parametrize("content", [b"views = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes):
    file = tmp_path / "options.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="must be valid TOML"):
        TrainConfig.build(file)


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path):
    with pytest.raises(NotFoundError):
        TrainConfig.build(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="readable"):
        TrainConfig.build(tmp_path)


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("500MB", 500_000_000), ("1.5 gib", 1_610_612_736), ("2GB", 2 * 10**9), ("3k", 3000), (7, 7)],
)
def test_sizes(text: object, count: int):
    assert size_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1 GB 2", "2XB", "iB", "1iB", True])
def test_sizes_that_are_none(text: object):
    with pytest.raises(ConfigError, match="such as 500MB"):
        CacheConfig.build(trim=text)
