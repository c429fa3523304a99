"""What a training says first of its data: a test part from elsewhere, leaks, groups, shortcuts."""

from __future__ import annotations

from pathlib import Path

from command_line import eyebright, metrics, photos
from PIL import Image, ImageFilter

from eyebright.auditing.data_checks import group_counts
from eyebright.data.manifest import Manifest, Sample
from eyebright.report.metrics_content import ShortcutContent
from eyebright.report.summary.data_claims import data_claims
from eyebright.runs.run import Run
from eyebright.types import Split

OPTIONS = ("--size", "64", "--layers", "texture")


def test_a_test_part_from_elsewhere_is_named_first(textile: Path, tmp_path: Path):
    data = tmp_path / "data"
    photos(textile / "train", data / "train", 14)
    photos(textile / "val", data / "val", 10)
    for folder in sorted((textile / "train").iterdir()):
        (data / "test" / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[14:24]:
            with Image.open(file) as image:
                image.filter(ImageFilter.GaussianBlur(3)).save(data / "test" / folder.name / file.name)
    (data / "train" / "nominal" / "leak.jpg").write_bytes(
        next((data / "val" / "nominal").iterdir()).read_bytes()
    )
    done = eyebright("train", data, "--out", tmp_path / "run", *OPTIONS)
    assert done.returncode == 0, done.stderr
    checks = metrics(tmp_path / "run")["data_checks"]
    assert checks["shift"]["parts"] == ["val", "test"]
    assert checks["shift"]["found"]
    assert checks["shift"]["told_apart"] > 0.9
    assert checks["leaks_removed"] == 1
    assert "Shift: images of the test split differ" in done.stdout
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page.index("Shift: images of the test split differ") < page.index("What you can rely on")


def test_parts_of_one_source_are_not_told_apart(textile_run: Run):
    checks = textile_run.metrics["data_checks"]
    assert checks["shift"] is not None
    assert checks["shift"]["parts"] == ["train", "val"]
    assert not checks["shift"]["found"]
    assert checks["groups"] is None


def test_groups_are_counted_and_those_in_two_splits_are_told():
    def sample(number: int, split: Split, group: str) -> Sample:
        return Sample(f"{number}.png", "a", split, f"{number:032x}", 10, 10, group)

    apart = Manifest(Path(), (sample(0, "train", "x"), sample(1, "train", "x"), sample(2, "val", "y")))
    found = group_counts(apart)
    assert found is not None
    assert (found.splits["train"], found.splits["val"], found.shared) == (1, 1, 0)
    mixed = group_counts(Manifest(Path(), (*apart.samples, sample(3, "val", "x"))))
    assert mixed is not None
    assert mixed.shared == 1
    copies = Manifest(Path(), (sample(0, "train", "copies-1"), sample(1, "train", "copies-1")))
    assert group_counts(copies) is None


def test_a_shortcut_is_a_claim_with_its_figures():
    shortcut: ShortcutContent = {
        "property": "size",
        "accuracy": {"value": 0.8, "low": 0.7, "high": 0.9},
        "chance": 0.5,
        "p": 0.004,
        "class": "a",
        "recall": 1.0,
    }
    (claim,) = data_claims({"shift": None, "shortcuts": [shortcut], "leaks_removed": 0, "groups": None})
    assert claim.status == "open"
    assert "image size" in claim.head
    assert "80.0" in claim.detail
    assert "50.0" in claim.detail
