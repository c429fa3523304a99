"""What a user does with the command line, on real photographs of textile and on handwritten digits."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from command_line import (
    QUICK,
    RUN_FILES,
    cached_rows,
    command,
    environment,
    eyebright,
    metrics,
    outcome,
    photos,
    train,
)
from PIL import Image

import eyebright as eb

CLASSES = ["global", "local", "nominal"]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def predictions(run: Path) -> list[dict[str, str]]:
    return rows_of((run / "predictions.csv").read_text(encoding="utf-8"))


# ---- train


def test_a_run_directory_is_complete(run: Path, textile: Path, val_images: list[Path]) -> None:
    figures = metrics(run)
    assert figures["split"] == "val"
    assert figures["labels"] == CLASSES
    trained = len(list((textile / "train").rglob("*.jpg")))
    assert figures["images"] == {"train": trained, "val": len(val_images), "test": 0}
    assert figures["skipped"] == []
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece"):
        figure = figures[name]
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert figures["accuracy"]["value"] > 0.5  # three classes, the largest a third
    assert np.sum(figures["confusion"]) == len(val_images)
    assert {label: c["support"] for label, c in figures["per_class"].items()} == dict.fromkeys(
        CLASSES, len(val_images) // 3
    )
    assert figures["engine"].split()[0] in ("openvino", "onnxruntime")
    stages = {k: v for k, v in figures["seconds"].items() if k != "total"}
    assert sum(stages.values()) <= figures["seconds"]["total"]
    rows = predictions(run)
    assert list(rows[0])[:5] == ["path", "split", "label", "predicted", "confidence"]
    assert [textile / row["path"] for row in rows] == val_images
    right = np.mean([row["label"] == row["predicted"] for row in rows])
    assert figures["accuracy"]["value"] == pytest.approx(right)
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_what_training_prints(textile: Path, tmp_path: Path) -> None:
    done = eyebright("train", textile, "--out", tmp_path / "run", *QUICK, cache=tmp_path / "cache")
    assert done.returncode == 0
    count = metrics(tmp_path / "run")["images"]
    assert (
        f"Found 3 classes. Images: {count['train']} for training, {count['val']} for validation, 0"
        in done.stderr
    )
    assert re.search(r"Engine: \w+ \w+, \d+ images/s on this machine\.", done.stderr)
    assert re.search(r"Computing features at 96 px: \d+ in .+ s, .+/s", done.stderr)
    assert f"Measured on {count['val']} images of the validation split:" in done.stdout
    accuracy = metrics(tmp_path / "run")["accuracy"]["value"]
    assert f"Accuracy           {100 * accuracy:.1f} %" in done.stdout
    assert str(tmp_path / "run" / "model.onnx") in done.stdout
    assert str(tmp_path / "run" / "report.html") in done.stdout


def test_without_out_a_run_gets_a_name_of_its_own(digits: Path, tmp_path: Path) -> None:
    data = photos(digits, tmp_path / "my digits!", 4)
    assert eyebright("train", data, *QUICK, cwd=tmp_path).returncode == 0
    (directory,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"my-digits-\d{8}-\d{6}", directory.name)
    assert {p.name for p in directory.iterdir()} == RUN_FILES


def test_shares_make_a_test_part_whose_figures_count(digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits, tmp_path / "data")
    (tmp_path / "data" / ".ipynb_checkpoints").mkdir()
    shutil.copy(next((digits / "0").iterdir()), tmp_path / "data" / ".ipynb_checkpoints")
    figures = train(tmp_path / "data", tmp_path / "run", "--val", "0.2", "--test", "0.3")
    assert figures["split"] == "test"
    assert figures["labels"] == [str(i) for i in range(10)]
    assert sum(figures["images"].values()) == 1000
    assert abs(figures["images"]["test"] - 300) <= 10
    assert {row["split"] for row in predictions(tmp_path / "run")} == {"val", "test"}
    assert figures["accuracy"]["value"] > 0.85


def test_the_seed_is_the_split_and_the_same_seed_the_same_model(digits: Path, tmp_path: Path) -> None:
    data = photos(digits, tmp_path / "data", 8)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(data, tmp_path / name, "--seed", str(seed))
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    held_out = [{row["path"] for row in predictions(tmp_path / name)} for name in "ac"]
    assert held_out[0] != held_out[1]


def test_a_run_repeats_from_its_config(run: Path, tmp_path: Path) -> None:
    done = eyebright("train", "--config", run / "config.toml", "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "again") == outcome(run)
    (tmp_path / "bad.toml").write_text('sise = 96\nlayers = "textur"\n')
    done = eyebright("train", "photos", "--config", tmp_path / "bad.toml")
    assert done.returncode == 2
    assert "Unknown option sise. The closest are: size" in done.stderr
    assert "layers must be auto, texture, stages or all; got 'textur'." in done.stderr


def test_more_images_and_a_new_class_compute_only_themselves(digits: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    data = photos(digits, tmp_path / "data", 6)
    shutil.rmtree(data / "9")
    train(data, tmp_path / "a", cache=cache)
    before = set(cache.glob("*/*.npy"))
    assert cached_rows(cache) == 9 * 6
    photos(digits, data, 7)
    figures = train(data, tmp_path / "b", cache=cache)
    assert before < set(cache.glob("*/*.npy"))
    assert len(figures["labels"]) == 10
    # Nothing twice: as many rows as there are images, each segment holding what was new.
    assert cached_rows(cache) == 70


# ---- evaluate


def test_evaluation_agrees_with_training(
    run: Path, textile: Path, val_images: list[Path], tmp_path: Path
) -> None:
    done = eyebright("evaluate", run, textile, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"Measured on {len(val_images)} images of the validation split:" in done.stdout
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "metrics.json",
        "model_card.md",
        "predictions.csv",
        "report.html",
    }
    trained, evaluated = metrics(run), metrics(tmp_path / "out")
    for name in ("accuracy", "log_loss", "ece", "confusion", "per_class"):
        assert trained[name] == evaluated[name]
    assert evaluated["warnings"] == []
    names = [(Path(r["path"]).name, r["predicted"], r["confidence"]) for r in predictions(run)]
    assert names == [
        (Path(r["path"]).name, r["predicted"], r["confidence"]) for r in predictions(tmp_path / "out")
    ]


def test_evaluation_on_training_images_says_so(run: Path, textile: Path, tmp_path: Path) -> None:
    done = eyebright("evaluate", run / "model.onnx", textile, "--split", "train", "--out", tmp_path / "out")
    assert done.returncode == 0
    trained = metrics(run)["images"]["train"]
    assert f"{trained} images were used to train it, so the metrics are too optimistic." in done.stderr


# ---- predict


def test_predict_gives_what_the_run_wrote_down(run: Path, textile: Path, val_images: list[Path]) -> None:
    done = eyebright("predict", run, textile / "val", "--format", "csv")
    assert done.returncode == 0
    rows = rows_of(done.stdout)
    assert [Path(row["path"]) for row in rows] == val_images
    written = predictions(run)
    assert [r["label"] for r in rows] == [r["predicted"] for r in written]
    assert [r["confidence"] for r in rows] == [r["confidence"] for r in written]


@pytest.mark.parametrize("way", ["file", "folder", "glob", "list", "null"])
def test_ways_to_name_images(way: str, run: Path, textile: Path) -> None:
    folder = textile / "val" / "local"
    names = sorted(str(p) for p in folder.iterdir())
    stdin = b""
    match way:
        case "file":
            words = names
        case "folder":
            words = [str(folder)]
        case "glob":
            words = [f"{textile}/**/local/*.jpg"]
            names = sorted(str(p) for p in textile.glob("*/local/*.jpg"))
        case "list":
            words, stdin = ["-"], "\n".join(names).encode()
        case _:
            words, stdin = ["-", "--null"], b"\0".join(name.encode() for name in names)
    done = eyebright("predict", run, *words, "--format", "jsonl", stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(line)["path"] for line in done.stdout.splitlines()) == names


def test_formats_tell_the_same(run: Path, val_images: list[Path]) -> None:
    path = val_images[0]
    top = {f: eyebright("predict", run, path, "--top", "2", "--format", f) for f in ("table", "csv", "jsonl")}
    answer = eb.load(run).predict(path, top=2)
    line = json.loads(top["jsonl"].stdout)
    assert line["path"] == str(path)
    assert [c["label"] for c in line["top"]] == list(answer.labels)
    assert [c["confidence"] for c in line["top"]] == pytest.approx(answer.probabilities, abs=1e-5)
    (row,) = rows_of(top["csv"].stdout)
    assert [row["label"], row["label_2"]] == list(answer.labels)
    assert float(row["confidence_2"]) == pytest.approx(answer.probabilities[1], abs=1e-5)
    first, second = top["table"].stdout.splitlines()
    told = [f"{100 * answer.confidence:.1f}", "%", answer.label]
    assert first.split()[:4] == (
        ["unknown", str(path), f"[{answer.label}", told[0]] if answer.unknown else [*told, str(path)]
    )
    assert (row["unknown"], json.loads(row["set"])) == (str(answer.unknown).lower(), list(answer.set or ()))
    assert second.split()[2] == answer.labels[1]


def test_rows_come_before_the_list_ends(run: Path, val_images: list[Path]) -> None:
    words = [sys.executable, "-m", "eyebright", "predict", str(run), "-", "--format", "csv"]
    listed = "".join(f"{path}\n" for path in val_images * 2).encode()
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(listed)
        process.stdin.flush()
        process.stdout.readline()
        assert process.stdout.readline().startswith(str(val_images[0]).encode())  # the list is still open
        process.stdin.close()
        assert len(process.stdout.read().splitlines()) == len(val_images) * 2 - 1
    assert process.returncode == 0


def test_onnxruntime_and_numpy_are_enough(run: Path, textile: Path) -> None:
    session = onnxruntime.InferenceSession(str(run / "model.onnx"))
    (given,), (output, score, answer) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[3]) == ("images", "tensor(uint8)", 3)
    assert (output.name, output.type) == ("probabilities", "tensor(float)")
    assert (score.name, score.type) == ("unknown_score", "tensor(float)")
    assert (answer.name, answer.type) == ("answer", "tensor(int64)")
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    assert labels == CLASSES
    for row in predictions(run)[::5]:
        image = np.asarray(Image.open(textile / row["path"]).convert("RGB"))
        probabilities, answers = session.run(["probabilities", "answer"], {"images": image[None]})
        assert labels[probabilities[0].argmax()] == row["predicted"]
        assert labels[answers[0]] == row["predicted"] or answers[0] == -1
        assert probabilities[0].max() == pytest.approx(float(row["confidence"]), abs=1e-4)


# ---- the other verbs


def test_models() -> None:
    done = eyebright("models", "--json")
    card, *_ = json.loads(done.stdout)
    assert card["licence"] == "Apache-2.0"
    assert card["accuracy"] == pytest.approx(0.751)
    assert card["size_bytes"] < 10_000_000
    assert "75.1 %" in eyebright("models").stdout


def test_doctor() -> None:
    done = eyebright("doctor", "--json")
    assert done.returncode == 0
    facts: dict[str, Any] = json.loads(done.stdout)
    assert facts["onnxruntime"]["state"] == "ok"
    assert facts["cores"]["value"] >= 1
    for fact in facts.values():
        if fact["state"] == "missing" and fact["command"]:
            assert fact["command"] in eyebright("doctor").stdout
    assert "处理器" in eyebright("doctor", "--lang", "zh").stdout


def test_cache_shows_trims_and_clears(digits: Path, tmp_path: Path) -> None:
    cache, data = tmp_path / "cache", photos(digits, tmp_path / "data", 4)
    assert eyebright("cache", cache=cache).stdout == f"{cache} uses 0.0 MB.\n"
    train(data, tmp_path / "a", cache=cache)
    train(data, tmp_path / "b", "--size", "128", cache=cache)  # what comes last is the wider part
    shown = eyebright("cache", cache=cache).stdout
    assert "96 px" in shown
    assert "128 px" in shown
    cards = {path.parent: json.loads(path.read_text()) for path in cache.glob("*/space.json")}
    last = [folder for folder, card in cards.items() if card["size"] == 128]
    kept = sum(path.stat().st_size for folder in last for path in folder.glob("*.npy"))
    assert "Freed" in eyebright("cache", "--trim", str(kept), cache=cache).stdout
    shown = eyebright("cache", cache=cache).stdout
    assert "96 px" not in shown  # used longest ago
    assert "128 px" in shown
    eyebright("cache", "--clear", cache=cache)
    assert cached_rows(cache) == 0
    train(data, tmp_path / "c", cache=cache)
    assert cached_rows(cache) == 40


def test_chinese(digits: Path, tmp_path: Path) -> None:
    data = photos(digits, tmp_path / "data", 4)
    done = eyebright("train", data, "--out", tmp_path / "run", *QUICK, "--lang", "zh")
    assert done.returncode == 0
    assert "准确率" in done.stdout
    assert "发现" in done.stderr or "找到" in done.stderr
    assert 'lang="zh' in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    done = eyebright("train", tmp_path / "none", "--lang=zh")
    assert done.returncode == 1
    assert "数据" in done.stderr
    assert str(tmp_path / "none") in done.stderr


def test_the_installed_command(run: Path, val_images: list[Path]) -> None:
    script = Path(sys.executable).with_name("eyebright")
    if not script.exists():
        pytest.skip("the package is not installed beside this interpreter")
    words = [str(script), "predict", str(run), str(val_images[0]), "--format", "csv"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    assert done.stdout == eyebright(*words[1:]).stdout


def test_nothing_is_left_in_the_home_folder(digits: Path, tmp_path: Path) -> None:
    """Engines that report to their makers keep what they send there (ONNX Runtime, OpenVINO)."""
    home = tmp_path / "home"
    home.mkdir()
    data = photos(digits, tmp_path / "data", 4)
    outside = environment(HOME=home)
    outside.pop("XDG_CACHE_HOME", None)
    for words in (("train", data, "--out", tmp_path / "run", *QUICK), ("doctor",)):
        subprocess.run(command(*words), env=outside, capture_output=True, check=True)
    assert [p for p in home.rglob("*") if p.is_file()] == []


# ---- with all defaults


@pytest.mark.slow
def test_training_and_demo_on_all_textile_images(textile: Path, tmp_path: Path) -> None:
    from eyebright.verbs.demo.demo import demo_images

    done = eyebright("train", demo_images(), "--val", "0.25", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    figures = metrics(tmp_path / "run")
    assert figures["images"] == {"train": 1500, "val": 500, "test": 0}
    assert figures["accuracy"]["value"] >= 0.93
    done = eyebright("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "runs/demo/report.html" in done.stdout
    assert outcome(tmp_path / "runs" / "demo") == outcome(tmp_path / "run")
