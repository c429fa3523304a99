"""Targets as they are written on the command line."""

from __future__ import annotations

import pytest

from eyebright.errors import ConfigError
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.targets import Target, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("latency<=10ms", Target("latency", 10.0)),
        ("Latency < 0.5 s", Target("latency", 500.0)),
        ("latency<=800us", Target("latency", 0.8)),
        ("size<=5MB", Target("size", 5e6)),
        ("size<=750kB", Target("size", 750e3)),
    ],
)
def test_what_is_written_is_understood(text: str, target: Target) -> None:
    found = parse_target(text)
    assert found.quantity == target.quantity
    assert found.most == pytest.approx(target.most)


@pytest.mark.parametrize(
    "text", ["latency<=10", "latency<=10MB", "size<=5ms", "size>=5MB", "speed<=3ms", "size<=0MB", "5MB", ""]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="latency<=10ms") as caught:
        parse_target(text)
    assert repr(text) in str(caught.value)


def test_the_options_tell_a_wrong_target() -> None:
    with pytest.raises(ConfigError, match="must look like"):
        ShrinkConfig.build(model="run", target=["latency<=10"])
    with pytest.raises(ConfigError, match="target"):
        ShrinkConfig.build(model="run")
    config = ShrinkConfig.build(model="run", target=["latency<=10ms", "size<=5MB"])
    assert ShrinkConfig.build(model="run", target=config.target).target == config.target


def test_a_target_is_written_as_it_is_read() -> None:
    for text in ("latency<=10ms", "size<=5MB", "size<=0.75MB"):
        assert str(parse_target(text)) == text


def test_excess_is_how_many_times_too_much() -> None:
    assert Target("latency", 10.0).excess(latency_ms=25.0, size_bytes=1) == pytest.approx(2.5)
    assert Target("size", 4e6).excess(latency_ms=25.0, size_bytes=2e6) == pytest.approx(0.5)
