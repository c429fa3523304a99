"""The offline page as a file: what is in it, and what cannot get out of its place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from eyebright.errors import ModelError
from eyebright.exporting.base import ExportSource, UnsupportedError
from eyebright.exporting.certificate.compression import original_bytes
from eyebright.exporting.formats import offline_page
from eyebright.exporting.formats.html_page import embedded_model
from eyebright.exporting.formats.html_texts import texts
from eyebright.exporting.formats.offline_page import OfflinePage
from eyebright.exporting.formats.onnx_file import SealedOnnx
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel, set_metadata
from eyebright.text.language import speaking
from eyebright.types import Lang

WEB = files("eyebright.exporting").joinpath("web")
MOST_BEYOND_THE_MODEL = 20_000_000


@pytest.fixture(scope="module")
def source(textile_run: Run) -> ExportSource:
    return ExportSource(SealedModel(textile_run.model), onnx.load(textile_run.model), "fp32")


@pytest.fixture(scope="module")
def folder(source: ExportSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page")
    with speaking("zh"):
        OfflinePage().export(source, place)
    return place


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def facts(text: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(re.findall(r'id="facts">(.*?)</script>', text, re.DOTALL)[0])
    return found


def test_it_is_one_file_that_is_not_much_larger_than_the_model(folder: Path, source: ExportSource):
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    beyond = (folder / "index.html").stat().st_size - source.model.path.stat().st_size
    assert beyond < MOST_BEYOND_THE_MODEL


def test_its_model_answers_as_the_original(
    folder: Path, source: ExportSource, photographs: dict[str, Image.Image]
):
    runner = OfflinePage().load(source, folder, 1)
    for photograph in photographs.values():
        image = np.asarray(photograph)
        output = runner.predict(image)
        probabilities, _, answers = source.model.predict_answers(image[None])
        np.testing.assert_array_equal(output.probabilities, probabilities[0])
        assert output.answer == answers[0]


def test_its_model_has_a_heat_map_and_its_metadata(text: str, source: ExportSource):
    model = onnx.load_from_string(embedded_model(text))
    outputs = [output.name for output in model.graph.output]
    assert outputs == ["probabilities", "unknown_score", "answer", "heat"]
    assert {entry.key: entry.value for entry in model.metadata_props} == source.model.metadata


def test_a_compressed_page_is_compared_with_the_page_of_the_original(source: ExportSource, text: str):
    smaller = replace(source, precision="int8")
    with speaking("zh"):
        page_bytes = original_bytes(OfflinePage(), smaller)
    assert page_bytes == len(text.encode())
    assert original_bytes(SealedOnnx(), smaller) == source.model.path.stat().st_size


def test_nothing_is_fetched(text: str):
    own = re.sub(r'<script type="text/plain" data-block.*?</script>', "", text, flags=re.DOTALL)
    assert re.findall(r"""(?:src|href|url|import|fetch)\s*[=(]\s*["']?(?:https?:)?//""", own) == []
    assert "default-src 'none'" in own
    assert "connect-src" not in own


def test_the_script_knows_the_model(text: str, source: ExportSource):
    found = facts(text)
    assert found["labels"] == list(source.labels)
    assert (found["side"], found["lang"]) == (source.size, "zh")
    assert found["several"] is False


def test_a_label_cannot_end_the_script(source: ExportSource, textile_run: Run, tmp_path: Path):
    evil = "</script><script>document.title = 'taken'</script>"
    graph = onnx.load(textile_run.model)
    labels = [evil, *source.labels[1:]]
    set_metadata(graph, source.model.metadata | {"labels": json.dumps(labels)})
    folder = tmp_path / "a <b> & c"
    folder.mkdir()
    onnx.save(graph, folder / "model.onnx")
    OfflinePage().export(ExportSource(SealedModel(folder), graph), tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert evil not in page
    assert facts(page)["labels"] == labels
    assert "<title>a &lt;b&gt; &amp; c</title>" in page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_text_that_the_page_asks_for_is_there(lang: Lang):
    parts = [
        part.read_text(encoding="utf-8") for part in WEB.iterdir() if part.name.endswith((".js", ".html"))
    ]
    asked = set(re.findall(r'say\("(\w+)"|data-(?:text|label)="(\w+)"|error: "(\w+)"', "".join(parts)))
    names = {name for found in asked for name in found if name}
    [kinds] = re.findall(r"const kind = .*", "".join(parts))
    names |= set(re.findall(r'[?:] "(\w+)"', kinds))
    with speaking(lang):
        assert names == set(texts())


def test_a_page_without_a_model_is_told(tmp_path: Path):
    (tmp_path / "index.html").write_text("<!DOCTYPE html><title>other</title>")
    with pytest.raises(ModelError, match="must contain a model"):
        embedded_model((tmp_path / "index.html").read_text())


def test_a_model_that_is_too_large_is_refused(source: ExportSource, monkeypatch: pytest.MonkeyPatch):
    OfflinePage().check(source)
    monkeypatch.setattr(offline_page, "_MOST_BYTES", 10_000)
    with pytest.raises(UnsupportedError, match="can embed a model of up to"):
        OfflinePage().check(source)


def test_the_runtime_comes_with_its_licence_and_version():
    facts = json.loads(WEB.joinpath("runtime", "runtime.json").read_text(encoding="utf-8"))
    assert facts["package"] == "onnxruntime-web"
    assert facts["integrity"].startswith("sha512-")
    assert "MIT License" in WEB.joinpath("runtime", "LICENSE").read_text(encoding="utf-8")
