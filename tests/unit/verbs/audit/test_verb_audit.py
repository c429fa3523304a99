"""`audit` on real photographs with known faults: what it finds, proposes and writes."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from audit_material import write_faulty
from command_line import eyebright, metrics, refused
from PIL import Image

import eyebright as eb
from eyebright.data.fixes import read_fixes, write_fixes

SIZE = ("--size", "64")


@pytest.fixture(scope="module")
def few_planted() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eyebright.auditing.material.PLANTED_IMAGES", 16)
        yield


@pytest.fixture(scope="module")
def data(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faulty(textile, tmp_path_factory.mktemp("audit") / "data")


@pytest.fixture(scope="module")
def first(data: Path) -> dict[int, str]:
    """The images that faults were made of, by their numbers."""
    names = sorted(path.name for path in (data / "train" / "nominal").glob("textile*"))
    return {number: f"train/nominal/{name}" for number, name in enumerate(names)}


@pytest.fixture(scope="module")
def audited(data: Path, few_planted: None) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = data.parent / "audit"
    return eyebright("audit", data, "--out", out, *SIZE, "--fail-on", "leak", "shift"), out


def found(out: Path) -> dict[str, list[set[str]]]:
    content = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    kinds: dict[str, list[set[str]]] = {}
    for finding in content["findings"]:
        kinds.setdefault(finding["kind"], []).append(set(finding["images"]))
    return kinds


def test_known_faults_are_found(
    audited: tuple[subprocess.CompletedProcess[str], Path], first: dict[int, str]
):
    done, out = audited
    kinds = found(out)
    assert done.returncode == 1, done.stderr
    assert {"val/nominal/leak.jpg", first[0]} in kinds["leak"]
    assert any({"val/nominal/resized.jpg", first[2]} <= images for images in kinds["leak"])
    assert {"train/nominal/again.jpg", first[1]} in kinds["exact_duplicate"]
    assert {"train/nominal/mirrored.png", first[3]} in kinds["near_duplicate"]
    assert {"train/nominal/blurred.png"} in kinds["blur"]
    assert {"train/nominal/dark.png"} in kinds["dark"]
    assert kinds["odd_size"] == [{"train/nominal/wide.png"}]
    assert kinds["border"] == [{"train/nominal/framed.png"}]
    assert kinds["broken"] == [{first[7]}]


def test_the_files_keep_to_their_contract(audited: tuple[subprocess.CompletedProcess[str], Path]):
    _, out = audited
    content = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    schema = files("eyebright.verbs.audit").joinpath("audit.schema.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(json.loads(schema)).validate(content)
    assert (out / "fixes.csv").read_text(encoding="utf-8").startswith("image,action,value,reason\n")
    assert content["calibration"]["near_duplicate"]["recall"]["value"] > 0.9
    assert content["calibration"]["near_duplicate"]["precision"]["value"] > 0.95
    page = (out / "audit.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'id="fixes-form"' in page


def test_copies_in_two_splits_are_one_question(
    audited: tuple[subprocess.CompletedProcess[str], Path], first: dict[int, str], tmp_path: Path
):
    _, out = audited
    rows = [fix for fix in read_fixes(out / "fixes.csv").rows if fix.image == first[0]]
    assert [fix.action for fix in rows if "Leaks" in fix.reason or "duplicates" in fix.reason] == ["keep_one"]
    assert "in two splits: see Leaks" in (out / "audit.html").read_text(encoding="utf-8")


def test_fixes_answer_the_questions(
    audited: tuple[subprocess.CompletedProcess[str], Path], data: Path, first: dict[int, str], tmp_path: Path
):
    _, out = audited
    fixes = read_fixes(out / "fixes.csv")
    answered = [
        fix if fix.action else type(fix)(fix.image, "not_a_problem", fix.value, fix.reason)
        for fix in fixes.rows
    ]
    write_fixes(tmp_path / "fixes.csv", answered)
    again = tmp_path / "again"
    done = eyebright(
        "audit",
        data,
        "--out",
        again,
        *SIZE,
        "--fixes",
        tmp_path / "fixes.csv",
        "--lang",
        "zh",
        "--fail-on",
        "leak",
    )
    assert done.returncode == 0, done.stderr
    assert "已应用修正" in done.stderr
    left = found(again)
    for kind in ("leak", "exact_duplicate", "broken", "odd_size", "blur", "dark", "border"):
        assert kind not in left, left[kind]
    assert (data / first[7]).is_file()
    assert 'lang="zh-Hans"' in (again / "audit.html").read_text(encoding="utf-8")


def test_train_applies_fixes_and_keeps_them(data: Path, first: dict[int, str], tmp_path: Path):
    fixes = tmp_path / "fixes.csv"
    rows = [f"{first[6]};relabel;local", f"{first[0]};keep_one;val/nominal/leak.jpg", "gone.png;drop;"]
    fixes.write_text("\n".join(["image;action;value", *rows]), encoding="utf-8-sig")
    out = tmp_path / "run"
    done = eyebright("train", data, "--out", out, "--size", "64", "--layers", "texture", "--fixes", fixes)
    assert done.returncode == 0, done.stderr
    assert "keep_one 1, relabel 1" in done.stderr
    assert "gone.png" in done.stderr
    content = metrics(out)
    assert first[0] in {entry["path"] for entry in content["skipped"]}
    assert [fix.action for fix in read_fixes(out / "fixes.csv").rows] == ["relabel", "keep_one", "drop"]


def test_data_without_splits_and_with_one_class_is_audited(
    photographs: dict[str, Image.Image], tmp_path: Path, few_planted: None
):
    data = tmp_path / "data"
    for number, tile in enumerate(_some(photographs["cat"])):
        (data / "cat").mkdir(parents=True, exist_ok=True)
        tile.save(data / "cat" / f"{number}.png")
    result = eb.audit(data, out=tmp_path / "out", size=64, progress=False)
    assert result.of("leak", "shift", "label_error") == []
    assert result.images == 8
    assert result.report.is_file()


def test_an_unknown_kind_is_refused(data: Path):
    assert "label_error" in refused(eyebright("audit", data, "--fail-on", "labels"), 2)


def _some(picture: Image.Image) -> list[Image.Image]:
    return [picture.crop((number * 50, 0, number * 50 + 100, 100)) for number in range(8)]
