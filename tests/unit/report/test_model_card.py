"""The model card: front matter that a YAML reader takes, and names that cannot break the Markdown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from report_material import training

from eyebright.report.card import model_card
from eyebright.report.content import ReportContent
from eyebright.text.language import speaking


@pytest.fixture
def content(tmp_path) -> ReportContent:
    return training(tmp_path / "images", ("a|b", "dog", "_fox_"), 120, 20)


def front_matter(card: str) -> dict[str, Any]:
    """What stands between the first two lines of dashes; each value is JSON, which is YAML too."""
    _, block, _ = card.split("---\n", 2)
    return {key: json.loads(value) for key, value in (line.split(": ", 1) for line in block.splitlines())}


def test_the_front_matter_has_the_fields_of_the_hub(content):
    fields = front_matter(model_card(content))
    assert fields["pipeline_tag"] == "image-classification"
    assert fields["library_name"] == "onnx"
    assert fields["license"] == "unknown"
    (index,) = fields["model-index"]
    (result,) = index["results"]
    assert result["dataset"]["split"] == "val"
    assert result["metrics"][0] == {"type": "accuracy", "value": round(content.metrics.accuracy.value, 4)}


def test_yaml_reads_it(content):
    yaml = pytest.importorskip("yaml")
    with speaking("zh"):
        card = model_card(content)
    assert yaml.safe_load(card.split("---\n", 2)[1]) == front_matter(card)


def test_every_figure_comes_with_its_interval(content):
    card = model_card(content)
    accuracy = content.metrics.accuracy
    low, high = 100 * accuracy.low, 100 * accuracy.high
    assert f"{low:.1f}" in card
    assert f"{high:.1f}" in card
    assert card.count("to") > 2 * len(content.metrics.labels)


def test_names_mean_nothing_to_markdown(content):
    card = model_card(content)
    row = next(line for line in card.splitlines() if line.startswith("| a"))
    assert row.startswith(r"| a\|b | 40 |")
    assert r"\_fox\_" in card


@pytest.mark.parametrize(("licence", "told"), [("Apache-2.0", "apache-2.0"), ("Custom 1.0", "other")])
def test_licences_have_the_hubs_names(tmp_path, licence, told):
    content = replace(training(tmp_path / "images"), licence=licence)
    fields = front_matter(model_card(content))
    assert fields["license"] == told
    assert fields.get("license_name") == (licence if told == "other" else None)
