"""A run that gets a class, images and corrections: a run like any other, with a head as if trained anew."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from metrics_schema import violations
from PIL import Image
from tests.conftest import VAL_IMAGES

import eyebright as eb
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.errors import ConfigError, DataError, ModelError, NotFoundError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.runs.run import Run
from eyebright.runtime.progress import SILENT
from eyebright.sealed.model import SealedModel, set_metadata
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.verbs.update.earlier_run import EarlierRun

CRUMBS = 9  # images of the new class
FILES = {
    *("model.onnx", "report.html", "model_card.md", "metrics.json", "predictions.csv", "manifest.parquet"),
    *("config.toml", "update.toml"),
}


@pytest.fixture(scope="module")
def more(
    textile: Path, photographs: dict[str, Image.Image], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A new class, crumbs of coffee; two images that the run has; one of them under another class."""
    root = tmp_path_factory.mktemp("more")
    for number in range(CRUMBS):
        (root / "coffee").mkdir(exist_ok=True)
        box = (20 * number, 10 * number, 20 * number + 200, 10 * number + 200)
        photographs["coffee"].crop(box).save(root / "coffee" / f"{number}.png")
    kinds = sorted(folder.name for folder in (textile / "train").iterdir())
    known = sorted((textile / "train" / kinds[0]).iterdir())
    for kind, file in ((kinds[0], known[0]), (kinds[1], known[1])):
        (root / kind).mkdir()
        shutil.copyfile(file, root / kind / file.name)
    return root


@pytest.fixture(scope="module")
def updated(textile_run: Run, more: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return eb.update(textile_run.directory, more, out=tmp_path_factory.mktemp("runs") / "updated")


def test_it_is_a_run_like_any_other(textile_run: Run, updated: Run, more: Path):
    assert {path.name for path in updated.directory.iterdir()} >= FILES
    assert violations(updated) == []
    assert updated.labels == tuple(sorted([*textile_run.labels, "coffee"]))
    answer = eb.load(updated.model).predict(more / "coffee" / "0.png")
    assert answer.label == "coffee"
    assert updated.metrics["parity"]["same_class"] == updated.metrics["parity"]["images"]
    assert updated.metrics["parent_sha256"] == sha256(textile_run.model)
    assert "textile (SHA-256 " in (updated.directory / "model_card.md").read_text(encoding="utf-8")
    assert 'id="update"' in updated.report.read_text(encoding="utf-8")


def test_images_keep_their_split_and_new_ones_are_spread(textile_run: Run, updated: Run, more: Path):
    before, after = (read_manifest(run.directory / "manifest.parquet") for run in (textile_run, updated))
    splits = {s.sha: s.split for s in after.samples}
    assert all(splits[s.sha] == s.split for s in before.samples)
    added = [s for s in after.samples if s.label == "coffee"]
    assert Counter(s.split for s in added) == {"train": 6, "val": 3}  # as textile: 24 to 10 of each class
    assert updated.metrics["update"]["added"] == {"train": 6, "val": 3, "test": 0}
    assert len(after.samples) == len(before.samples) + CRUMBS
    moved = next(path for path in more.rglob("*.jpg") if path.parent.name == textile_run.labels[1])
    place = next(s for s in after.samples if s.path.endswith(moved.name) and s.label == moved.parent.name)
    assert place.path.startswith("train/" + textile_run.labels[0])
    assert updated.metrics["update"]["relabelled"] == 1


def test_it_says_what_to_expect_and_what_it_cost(textile_run: Run, updated: Run):
    outcome = updated.metrics["update"]
    [expected] = outcome["expected"]
    assert (expected["label"], expected["images"]) == ("coffee", 6)
    assert sum(expected["predicted"].values()) == 6
    assert outcome["foreign"] == outcome["scored"] == 6  # coffee is no textile
    rows = {row["label"]: row for row in outcome["classes"]}
    assert list(rows) == list(textile_run.labels)
    for label, row in rows.items():
        recall = textile_run.metrics["per_class"][label]["recall"]["value"]
        assert row["before"] == round(recall * row["images"])
        assert row["difference"]["low"] <= row["difference"]["value"] <= row["difference"]["high"]
    assert outcome["everything"]["images"] == sum(row["images"] for row in rows.values())


def test_features_of_the_run_are_found_in_the_cache(textile_run: Run, updated: Run):
    earlier = EarlierRun.open(textile_run.directory)
    backbone, engine = earlier.backbone, earlier.selection.engine
    assert engine is not None
    how = training_preprocessing(backbone.card, earlier.model.size)
    extractor = FeatureExtractor(default_folder(), backbone, how, backbone.taps, engine, 1)
    assert not extractor.missing(earlier.manifest.of("train"))
    fronts = [SealedModel(run.model).split_model for run in (textile_run, updated)]
    # Those of evaluated images are found, too.
    assert len({front.digest for front in fronts if front is not None}) == 1


def test_its_head_is_that_of_a_training_of_the_same_images(updated: Run, tmp_path: Path):
    manifest = read_manifest(updated.directory / "manifest.parquet")
    for number, sample in enumerate(manifest.samples):
        folder = tmp_path / "same" / sample.split / sample.label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}{Path(sample.path).suffix}").symlink_to(manifest.root / sample.path)
    anew = eb.train(tmp_path / "same", out=tmp_path / "anew", size=96, layers="texture")
    losses = [run.metrics["log_loss"]["value"] for run in (updated, anew)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_classes_are_renamed_merged_and_removed_without_new_images(textile_run: Run, tmp_path: Path):
    first, second, third = textile_run.labels
    run = eb.update(
        textile_run.directory,
        out=tmp_path / "joined",
        merge=f"{first},{second}=flawed",
        rename=f"{third}=fine",
    )
    assert run.labels == ("fine", "flawed")
    assert run.metrics["update"]["added"] == {"train": 0, "val": 0, "test": 0}
    assert {row["label"] for row in run.metrics["update"]["classes"]} == {"fine", "flawed"}
    again = eb.update(run.directory, out=tmp_path / "again", rename="fine=good")  # an update of an update
    assert again.labels == ("flawed", "good")
    assert again.metrics["update"]["everything"]["difference"]["value"] == 0
    with pytest.raises(DataError, match="At least 2 classes are required"):
        eb.update(run.directory, out=tmp_path / "one", remove="fine")
    assert not (tmp_path / "one").exists()


def test_images_that_are_gone_are_taken_from_the_cache(
    textile: Path, textile_run: Run, more: Path, tmp_path: Path
):
    """Those with cached features still count, and the proof rests on the new ones."""
    folder = shutil.copytree(textile_run.directory, tmp_path / "run")
    manifest = read_manifest(folder / "manifest.parquet")
    write_manifest(replace(manifest, root=tmp_path / "gone"), folder / "manifest.parquet")
    said: list[str] = []

    class Listener:
        task = staticmethod(SILENT.task)
        say = staticmethod(said.append)

    run = eb.update(folder, more / ".", out=tmp_path / "new", progress=Listener())
    assert any("no longer below" in line for line in said)
    assert run.metrics["images"]["train"] == len(manifest.of("train")) + 6
    assert run.metrics["parity"]["images"] == 3


def test_a_fine_tuned_run_keeps_its_backbone_and_is_calibrated_on_images_that_it_did_not_learn(
    textile_run: Run, updated: Run, more: Path, tmp_path: Path
):
    """The file is that of a linear probe, marked as fine-tuning marks its own."""
    folder = shutil.copytree(textile_run.directory, tmp_path / "tuned")
    graph = onnx.load(folder / "model.onnx")
    facts = {entry.key: entry.value for entry in graph.metadata_props}
    card = json.loads(facts["card"]) | {"finetune": "last"}
    del card["l2"]
    set_metadata(graph, facts | {"card": card})
    onnx.save(graph, folder / "model.onnx")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    metrics["model_sha256"] = sha256(folder / "model.onnx")
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    run = eb.update(folder, more, out=tmp_path / "new")
    assert run.metrics["update"]["finetuned"]
    assert SealedModel(run.model).card.content["finetune"] == "last"
    assert run.metrics["temperature"] != updated.metrics["temperature"]
    assert run.metrics["chosen"]["l2"] == updated.metrics["chosen"]["l2"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, DataError, "Got no data, with nothing that the run does not have"),
        ({"rename": "cat=dog"}, ConfigError, "cat is none of them"),
        ({"rename": "cat"}, ConfigError, "the form OLD=NEW"),
        ({"rename": "{0}={1}"}, ConfigError, "use --merge {0},{1}={1}"),
        ({"rename": "{0}=a/b"}, ConfigError, "must not contain a slash"),
        ({"rename": "{0}=NEW", "remove": "{0}"}, ConfigError, "only once"),
        ({"merge": "{0}=x"}, ConfigError, "at least two classes"),
        ({"data": "known"}, DataError, "with nothing that the run does not have"),
        ({"data": "case"}, DataError, "must differ by more than case"),
        ({"data": "known", "remove": "{0}"}, DataError, "either removed or given new images"),
        ({"data": "empty"}, DataError, "must contain images"),
        ({"fixes": "move"}, DataError, "Images keep their split in an update"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    options: dict[str, str],
    error: type[Exception],
    words: str,
    textile: Path,
    textile_run: Run,
    tmp_path: Path,
):
    labels = textile_run.labels
    image = next((textile / "train" / labels[0]).iterdir())
    for name, folder in (("known", labels[0]), ("case", labels[0].upper()), ("empty", "")):
        (tmp_path / name / folder).mkdir(parents=True)
    shutil.copyfile(image, tmp_path / "known" / labels[0] / "copy.jpg")
    Image.effect_noise((64, 64), 90).save(tmp_path / "case" / labels[0].upper() / "new.png")
    fixes = tmp_path / "move"
    fixes.write_text(f"image,action,value\ntrain/{labels[0]}/{image.name},move,val\n", encoding="utf-8")
    given = {name: value.format(*labels) for name, value in options.items()}
    given |= {name: str(tmp_path / value) for name, value in given.items() if name in ("data", "fixes")}
    with pytest.raises(error, match=words.format(*labels).replace("(", r"\(")):
        eb.update(textile_run.directory, out=tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_only_a_training_can_be_updated(textile_run: Run, more: Path, tmp_path: Path):
    folder = shutil.copytree(textile_run.directory, tmp_path / "run")
    with pytest.raises(ConfigError, match="must not be overwritten"):
        eb.update(folder, more, out=folder, overwrite=True)
    (folder / "config.toml").unlink()
    with pytest.raises(NotFoundError, match=r"has no config\.toml"):
        eb.update(folder, more, out=tmp_path / "out")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    with pytest.raises((ModelError, NotFoundError)):
        eb.update(folder, more, out=tmp_path / "out")


def test_fixes_are_applied_a_replaced_file_is_a_new_image_and_targets_follow_their_class(
    textile: Path, textile_run: Run, photographs: dict[str, Image.Image], tmp_path: Path
):
    first, second, _ = textile_run.labels
    folder, images = tmp_path / "run", shutil.copytree(textile, tmp_path / "images")
    shutil.copytree(textile_run.directory, folder)
    manifest = read_manifest(folder / "manifest.parquet")
    write_manifest(replace(manifest, root=images.resolve()), folder / "manifest.parquet")
    options = folder / "config.toml"
    options.write_text(
        options.read_text(encoding="utf-8").replace("target = []", f'target = ["recall({first}) >= 0.5"]'),
        encoding="utf-8",
    )
    dropped, corrected, renewed = (s for s in manifest.of("train")[:3])
    fixes = tmp_path / "fixes.csv"
    label = second if corrected.label != second else "first"
    fixes.write_text(
        f"image,action,value\n{dropped.path},drop,\n{corrected.path},relabel,{label}\n", encoding="utf-8"
    )
    photographs["cat"].save(images / renewed.path)
    run = eb.update(folder, images, out=tmp_path / "new", fixes=fixes, rename=f"{first}=first")
    after = {s.path: s for s in read_manifest(run.directory / "manifest.parquet").samples}
    assert dropped.path not in after
    assert after[corrected.path].label == label
    assert after[renewed.path].sha != renewed.sha
    assert sum(run.metrics["update"]["added"].values()) == 1
    assert run.metrics["operating_points"][0]["target"] == "recall(first) >= 0.5"
    reasons = {entry["path"]: entry["reason"] for entry in run.metrics["skipped"]}
    assert "another image now" in reasons[renewed.path]
    assert "fixes" in reasons[dropped.path]


def test_a_cross_validated_run_stays_one(textile: Path, more: Path, tmp_path: Path):
    options = {"folds": 2, "size": 96, "layers": "texture"}
    first = eb.train(textile / "val", out=tmp_path / "first", **options)
    shutil.copytree(more / "coffee", tmp_path / "coffee_only" / "coffee")
    run = eb.update(first.directory, tmp_path / "coffee_only", out=tmp_path / "new")
    assert violations(run) == []
    m = run.metrics
    assert (m["split"], m["splitting"]["by"], m["splitting"]["folds"]) == ("folds", "folds", 2)
    assert m["images"]["folds"] == m["images"]["train"] == 3 * VAL_IMAGES + CRUMBS
    assert m["update"]["added"] == {"train": CRUMBS, "val": 0, "test": 0}
    everything = m["update"]["everything"]
    assert everything["images"] == 3 * VAL_IMAGES  # by what models of the run's folds predicted for them
    assert everything["before"] == round(first.metrics["accuracy"]["value"] * 3 * VAL_IMAGES)
    assert "cross-validated on the same 30 images" in run.report.read_text(encoding="utf-8")
    anew = eb.update(run.directory, out=tmp_path / "again", rename="coffee=crumbs")
    assert anew.metrics["update"]["everything"]["difference"]["value"] == 0


def test_a_new_label_of_several_is_foretold(textile: Path, more: Path, tmp_path: Path):
    files = sorted(textile.rglob("*.jpg"))
    rows = [(f, f.parent.name + ";big" * (i % 2), f.parent.parent.name) for i, f in enumerate(files)]
    first = eb.train(
        _labels_file(tmp_path / "a.csv", rows), out=tmp_path / "first", size=96, layers="texture"
    )
    crumbs = [(f, "coffee;crumbs", "") for f in sorted((more / "coffee").iterdir())]
    run = eb.update(first.directory, _labels_file(tmp_path / "c.csv", crumbs), out=tmp_path / "new")
    assert violations(run) == []
    expected = {one["label"]: one for one in run.metrics["update"]["expected"]}
    assert set(expected) == {"coffee", "crumbs"}
    for one in expected.values():  # always together, so never told apart from one another
        assert one["nearest"] in {*first.labels, None}
        assert one["confused"] <= one["images"]
        assert set(one["predicted"]) <= set(first.labels)
    assert "coffee is new" in run.report.read_text(encoding="utf-8")


def _labels_file(path: Path, rows: Sequence[tuple[Path, str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        parted = any(split for *_, split in rows)
        writer.writerow(("path", "labels", "split") if parted else ("path", "labels"))
        writer.writerows(row if parted else row[:2] for row in rows)
    return path
