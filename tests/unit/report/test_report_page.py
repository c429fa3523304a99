"""The page as a whole: its structure, both languages, sizes of all kinds, hostile names."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from report_material import evaluation, measured, training

from eyebright.data.manifest import Manifest, Sample
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import ReportContent
from eyebright.report.page import render, write_report
from eyebright.report.sections.usage import SNIPPET
from eyebright.text.language import speaking
from eyebright.types import Interval, Lang

VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """The page's elements, and whether every one that opens also closes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def sections(self) -> list[str | None]:
        return [attributes["id"] for attributes in self.all("section")]


def parsed(content: ReportContent, lang: Lang = "en") -> Page:
    with speaking(lang):
        page = Page(render(content))
    assert page.open == []
    return page


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("classes", "count", "wrong"), [(2, 1, 0), (2, 1, 1), (2, 20, 3), (12, 60, 60), (100, 300, 90)]
)
def test_every_page_is_whole_and_asks_no_network(
    tmp_path: Path, lang: Lang, classes: int, count: int, wrong: int
) -> None:
    labels = tuple(f"class {i:03d}" for i in range(classes))
    with speaking(lang):
        text = render(training(tmp_path, labels, count, wrong))
    page = Page(text)
    assert page.open == []
    assert page.all("html")[0]["lang"] == {"en": "en", "zh": "zh-Hans"}[lang]
    assert len(page.all("h1")) == 1
    assert all(image["alt"] for image in page.all("img"))
    assert all((image["src"] or "").startswith("data:image/") for image in page.all("img"))
    addresses = [a[key] or "" for _, a in page.elements for key in ("src", "href") if key in a]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "http://" not in text
    assert "https://" not in text
    assert "nan" not in re.findall(r'="([^"]*)"', text)


def test_identifiers_are_unique_and_every_link_of_the_contents_leads_somewhere(tmp_path: Path) -> None:
    page = parsed(training(tmp_path))
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert {(link["href"] or "")[1:] for link in page.all("a")} <= set(identifiers)


def test_tables_have_captions_and_row_heads(tmp_path: Path) -> None:
    page = parsed(training(tmp_path))
    assert len(page.all("caption")) == len(page.all("table")) > 3
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))


def test_a_second_stage_has_no_sections_about_training(tmp_path: Path) -> None:
    told = parsed(training(tmp_path)).sections()
    evaluated = parsed(evaluation(tmp_path, ("cat", "dog"), 20, 3)).sections()
    assert [s for s in told if s not in evaluated] == ["choices", "proof", "time"]
    assert [s for s in told if s in evaluated] == evaluated


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=http://evil.example/x onerror=alert(1)>',
    "two\nlines 'and' {braces} %s",
    "猫\u202egnp.exe",
    "קוד & עברית",
    "not\udcffutf\x008",
)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_hostile_labels_and_names_stay_text(tmp_path: Path, lang: Lang) -> None:
    rows, samples = [], []
    for i, label in enumerate(HOSTILE):
        for wrong in (False, True):
            path = f"{label}/{label}-{wrong}.png"
            predicted = HOSTILE[(i + wrong) % len(HOSTILE)]
            rows.append(PredictionRow(path, "val", label, predicted, 0.7))
            samples.append(Sample(path, label, "val", "0" * 32, 5, 5))
    base = evaluation(tmp_path, HOSTILE, 6, 0)
    content = replace(
        base,
        title=HOSTILE[0],
        manifest=Manifest(tmp_path, tuple(samples)),
        rows=rows,
        metrics=measured(rows, HOSTILE),
        facts=dict.fromkeys(HOSTILE, HOSTILE[1]),
        command=HOSTILE[0],
        layers=HOSTILE[1],
    )
    with speaking(lang):
        write_report(tmp_path / "report.html", content)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert not [a for _, a in page.elements if any(key.startswith("on") for key in a)]
    assert HOSTILE[0] in page.text
    assert "{braces} %s" in page.text
    assert "\u202e" not in page.text
    values = {option.get("value") for option in page.all("option")}
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[4]} <= values


def test_without_mistakes_the_section_says_so_and_the_verdict_does_not_promise_perfection(
    tmp_path: Path,
) -> None:
    page = parsed(evaluation(tmp_path, ("cat", "dog"), 60, 0))
    assert "No image was misclassified." in page.text
    assert "up to 49 may still be misclassified" in page.text
    assert "Weakest class" not in page.text
    assert page.all("select") == []


def test_the_verdict_counts_out_of_a_hundred_and_out_of_a_thousand_near_perfection(tmp_path: Path) -> None:
    base = evaluation(tmp_path, ("cat", "dog"), 10, 1)
    usual = replace(base, metrics=replace(base.metrics, accuracy=Interval(0.92, 0.9, 0.94)))
    near = replace(base, metrics=replace(base.metrics, accuracy=Interval(0.996, 0.99, 0.999)))
    assert (
        "Of 100 new images like these, about 92 will be classified correctly (between 90 and 94)."
        in parsed(usual).text
    )
    assert "Of 1,000 new images like these, about 996 " in parsed(near).text


def test_few_images_carry_a_warning(tmp_path: Path) -> None:
    few = "Fewer than 100 images were evaluated"
    assert few in parsed(evaluation(tmp_path, ("cat", "dog"), 99, 9)).text
    assert few not in parsed(evaluation(tmp_path, ("cat", "dog"), 100, 9)).text


def test_skipped_files_and_warnings_are_listed_with_their_reasons(tmp_path: Path) -> None:
    text = parsed(training(tmp_path)).text
    assert "It ends after 17 bytes." in text
    assert "The same image lies under two labels." in text


def test_calibration_shows_before_and_after(tmp_path: Path) -> None:
    assert "8.1\N{NO-BREAK SPACE}% → 3.0\N{NO-BREAK SPACE}%" in parsed(training(tmp_path)).text


def test_an_interrupted_write_leaves_the_old_page(tmp_path: Path) -> None:
    content = evaluation(tmp_path, ("cat", "dog"), 4, 1)
    write_report(tmp_path / "report.html", content)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(AttributeError):
        write_report(tmp_path / "report.html", replace(content, metrics=None))
    assert (tmp_path / "report.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".tmp")] == []


def test_the_page_is_the_same_every_time(tmp_path: Path) -> None:
    content = training(tmp_path)
    assert render(content) == render(content)


def test_the_python_lines_run_beside_a_model_that_keeps_the_contract(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["pixels", "axes"], ["colour"], keepdims=0),
            helper.make_node("Softmax", ["colour"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["answer"], axis=1, keepdims=0),
        ],
        "contract",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", "H", "W", 3])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["B", 3]),
            helper.make_tensor_value_info("answer", TensorProto.INT64, ["B"]),
        ],
        [helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"labels": '["red", "green", "blue"]'})
    onnx.save(model, tmp_path / "model.onnx")
    Image.new("RGB", (9, 5), (255, 0, 0)).save(tmp_path / "photo.jpg")
    done = subprocess.run(
        [sys.executable, "-c", SNIPPET], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "red"
    assert float(done.stdout.split()[1]) == pytest.approx(1)
