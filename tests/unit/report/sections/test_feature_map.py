"""The map: every point has its image, and nothing that comes from outside gets out of its place."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_material import evaluation

from eyebright.report.content import EmbeddingMap, ReportContent
from eyebright.report.sections.feature_map import feature_map
from eyebright.report.thumbnails import across, contact_sheet


def mapped(content: ReportContent, **more: Any) -> ReportContent:
    rows = content.evaluated
    points = np.random.default_rng(0).random((len(rows), 2), dtype=np.float32)
    facts: dict[str, Any] = {"rows": rows, "points": points, "method": "t-SNE", "count": len(rows)} | more
    return replace(content, embedding_map=EmbeddingMap(**facts))


def page(content: ReportContent) -> str:
    section = feature_map(content)
    assert section is not None
    return section.body


def data(html: str) -> dict[str, Any]:
    found = re.search(r'id="map-data">(.*?)</script>', html)
    assert found is not None
    facts: dict[str, Any] = json.loads(found[1])
    return facts


def test_without_a_map_there_is_no_section(tmp_path: Path) -> None:
    assert feature_map(evaluation(tmp_path, ("cat", "dog"), 4, 1)) is None


def test_every_image_has_a_point_and_mistakes_lie_on_top(tmp_path: Path) -> None:
    content = mapped(evaluation(tmp_path, ("cat", "dog"), 60, 7))
    html = page(content)
    circles = re.findall(r'<circle class="c(\d)( wrong)?" [^>]*data-i="(\d+)"', html)
    assert sorted(int(i) for _, _, i in circles) == list(range(60))
    assert [bool(wrong) for _, wrong, _ in circles] == [False] * 53 + [True] * 7
    facts = data(html)
    rows = {row.path: row for row in content.evaluated}
    for colour, wrong, i in circles:
        true, named, _, path = facts["points"][int(i)]
        row = rows[path]
        assert (facts["labels"][true], facts["labels"][named]) == (row.label, row.predicted)
        assert int(colour) == true
        assert bool(wrong) == (true != named)
    assert html.count('<button type="button" data-i=') == 7


def test_points_stand_where_they_were_put(tmp_path: Path) -> None:
    content = evaluation(tmp_path, ("cat", "dog"), 4, 0)
    corners = np.array([[0, 0], [1, 0], [1, 0.5], [0, 0.5]], np.float32)
    html = page(mapped(content, points=corners))
    place = {path: i for i, (_, _, _, path) in enumerate(data(html)["points"])}
    at = {
        int(i): (float(x), float(y))
        for x, y, i in re.findall(r'cx="(.*?)" cy="(.*?)" .*?data-i="(\d+)"', html)
    }
    found = np.array([at[place[row.path]] for row in content.evaluated])
    np.testing.assert_allclose((found - found[0]) / np.ptp(found[:, 0]), corners, atol=1e-3)


def test_a_label_cannot_end_the_data(tmp_path: Path) -> None:
    label = "</script><script>alert(1)</script>"
    content = evaluation(tmp_path, (label, "dog"), 6, 2)
    html = page(mapped(content))
    assert label not in html
    assert label in data(html)["labels"]


def test_what_was_chosen_is_said(tmp_path: Path) -> None:
    content = evaluation(tmp_path, tuple(f"class {i}" for i in range(12)), 24, 3)
    html = page(mapped(content, count=10_000, method="PCA"))
    assert "Showing 24 of 10,000 images, mistakes first." in html
    assert "[map]" in html
    assert "more classes than colours" in html


def test_large_originals_are_read_for_mistakes_first(tmp_path: Path) -> None:
    content = evaluation(tmp_path, ("cat", "dog"), 40, 5)
    samples = tuple(replace(s, width=10_000, height=6_000) for s in content.manifest.samples)  # 60 megapixels
    html = page(mapped(replace(content, manifest=replace(content.manifest, samples=samples))))
    assert "only 10 points have a thumbnail" in html
    facts = data(html)
    assert facts["pictured"] == 10
    assert all(true != named for true, named, _, _ in facts["points"][:5])


def test_a_sheet_has_each_image_in_its_square(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 160, 30), (30, 30, 200), (180, 180, 30), (30, 170, 170)]
    paths = []
    for i, colour in enumerate(colours):
        Image.new("RGB", (60, 40), colour).save(tmp_path / f"{i}.png")
        paths.append(f"{i}.png")
    (tmp_path / "1.png").unlink()
    uri = contact_sheet(tmp_path, paths, 30)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"), int)
    assert across(5) == 3
    assert sheet.shape == (60, 90, 3)
    for i, colour in enumerate(colours):
        row, column = divmod(i, 3)
        middle = sheet[30 * row + 15, 30 * column + 15]
        assert np.abs(middle - ((128, 128, 128) if i == 1 else colour)).max() < 12


@pytest.mark.parametrize("count", [1, 2])
def test_the_least_that_can_be_drawn(tmp_path: Path, count: int) -> None:
    html = page(
        mapped(evaluation(tmp_path, ("cat", "dog"), count, 0), points=np.zeros((count, 2), np.float32))
    )
    assert html.count("<circle") == count
    assert "nan" not in html
