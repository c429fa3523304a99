"""The types by which `metrics.json` is read have the keys of its published schema."""

from __future__ import annotations

import pytest
from metrics_schema import SCHEMA

from eyebright.report import metrics_content as content


def test_every_key_of_the_schema_has_a_type() -> None:
    assert content.MetricsContent.__annotations__.keys() == SCHEMA["properties"].keys()


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (content.IntervalContent, "interval"),
        (content.OperatingPointContent, "operating_point"),
        (content.UnknownContent, "unknown"),
        (content.ConformalContent, "conformal"),
        (content.BaselineContent, "baseline"),
        (content.MajorityContent, "majority"),
    ],
)
def test_so_has_every_key_of_its_parts(read: type, name: str) -> None:
    assert read.__annotations__.keys() == SCHEMA["$defs"][name]["properties"].keys()
