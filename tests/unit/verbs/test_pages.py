"""The pages of the verbs: whole, in both languages, and names from outside stay text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyebright.evaluation.paired import differences
from eyebright.report.thumbnails import data_uri
from eyebright.text.language import LANGUAGES, speaking
from eyebright.types import Interval, Lang
from eyebright.verbs.benchmark.page import Measurement, write_benchmark
from eyebright.verbs.compare.content import ChangedPrediction, ComparedRun, ComparisonContent
from eyebright.verbs.compare.page import write_comparison
from eyebright.verbs.explain.page import ExplainedImage, write_explanations
from eyebright.verbs.shrink.candidate import CandidateFigures
from eyebright.verbs.shrink.page import write_pareto
from eyebright.verbs.tune.page import TrialFigures, write_search

HOSTILE = "<script>alert('1')</script>\u202e\x00"
IMAGES = 20


class ExactMaps:
    """An explainer whose maps add up to the score."""

    method, signed, of_class, placeless = "exact", True, True, 0.25


def comparison(path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(path.parent / "a.png")
    right = np.array([[i % 3 > 0 for i in range(IMAGES)], [True] * IMAGES])
    accuracy = Interval(0.8, 0.7, 0.9)
    write_comparison(
        path,
        ComparisonContent(
            runs=[ComparedRun(name, "/runs/a", "val", accuracy, accuracy) for name in ("first", HOSTILE)],
            images=IMAGES,
            left_out=[0, 1],
            differences=differences(right, np.where(right, 0.1, 1.0)),
            labels=[HOSTILE, "dog"] * (IMAGES // 2),
            right=right,
            changed=[
                ChangedPrediction(path.parent, name, HOSTILE, [(HOSTILE, 0.9), ("dog", 0.6)])
                for name in ("a.png", "gone.png")
            ],
        ),
    )


def benchmark(path: Path) -> None:
    measured = [
        Measurement(HOSTILE, runtime, 1, 1, 3.0, 4.0, 9.0, 300.0, None, 1200, 0.1)
        for runtime in ("onnxruntime", HOSTILE)
    ]
    write_benchmark(path, HOSTILE, measured, {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE})


def search(path: Path) -> None:
    settings = {HOSTILE: HOSTILE}
    trials = [
        TrialFigures(1, settings, "complete", 0.5, 0.8, 5, 61.0),
        TrialFigures(2, settings, "failed", math.nan, math.nan, 0, math.nan),
    ]
    write_search(path, HOSTILE, trials, {HOSTILE: 1.0})


def pareto(path: Path) -> None:
    accuracy = Interval(0.8, 0.7, 0.9)
    candidates = [
        CandidateFigures(
            name=HOSTILE,
            file="tried.onnx",
            precision="int8",
            images=100,
            accuracy=accuracy,
            latency_ms=9.0,
            size_bytes=3_000_000,
            meets=True,
            best=True,
            selected=True,
        )
    ]
    write_pareto(path, HOSTILE, candidates, {"size": 4e6}, [HOSTILE])


def explanations(path: Path) -> None:
    picture = data_uri(Image.new("RGB", (40, 30), "red"), 40)
    images = [ExplainedImage(HOSTILE, HOSTILE, 0.9, "dog", picture, picture, "a-1.png")]
    write_explanations(path, HOSTILE, ExactMaps(), images, 2)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("write", [comparison, benchmark, search, pareto, explanations])
def test_names_from_outside_stay_text(write: Callable[[Path], None], lang: Lang, tmp_path: Path) -> None:
    with speaking(lang):
        write(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1  # the page's own
    assert re.search("[\x00\u202e]", page) is None
    assert "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\ufffd\ufffd" in page.replace("&#x27;", "&#39;")
    anchors = re.findall(r'\bid="([\w-]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'<li><a href="#([\w-]+)"', page)) <= set(anchors)
    assert page.count("<table") == page.count("<caption>")


def test_a_lost_image_leaves_its_reason(tmp_path: Path) -> None:
    comparison(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 1
    assert page.count("The file no longer exists.") == 1
