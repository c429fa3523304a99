from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from conformal_clip_data import __file__ as textile
from data_images import ordinary_user, write_classes, write_image
from unix import UNIX

from eyebright.data.folder import scan, scan_part
from eyebright.data.header import hash_bytes
from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.errors import DataError, NotFoundError
from eyebright.runtime.context import showing
from eyebright.text.language import english
from eyebright.types import Skipped

TWO = {"cat": 5, "dog": 5}


def reasons(notes: tuple[Skipped, ...]) -> dict[str, str]:
    return {note.path: english(note.reason, **note.reason_values) for note in notes}


def parts(manifest: Manifest) -> dict[str, int]:
    return dict(Counter(s.split for s in manifest.samples))


def test_class_folders_make_a_stratified_split(tmp_path: Path) -> None:
    manifest = scan(write_classes(tmp_path, {"cat": 10, "dog": 20}))
    assert manifest.root == tmp_path.resolve()
    assert manifest.counts()["train"] == {"cat": 8, "dog": 16}
    assert manifest.counts()["val"] == {"cat": 2, "dog": 4}
    assert manifest.of("test") == ()
    assert (manifest.skipped, manifest.warnings) == ((), ())
    assert [s.path for s in manifest.samples] == sorted(s.path for s in manifest.samples)
    for sample in manifest.samples:
        data = (manifest.root / sample.path).read_bytes()
        assert (sample.sha, sample.width, sample.height) == (hash_bytes(data), 8, 8)
        assert sample.path.startswith(f"{sample.label}/")


def test_real_photographs(tmp_path: Path) -> None:
    images = Path(textile).parent / "data" / "textile_images" / "simulated"
    manifest = scan(images, test=0.25, seed=3)
    assert manifest.labels == ("global", "local", "nominal")
    total = len(manifest.samples)
    assert total == len(list(images.rglob("*.jpg"))) - len(manifest.skipped)
    assert len(manifest.of("test")) == pytest.approx(total / 4, abs=3)
    assert {(s.width, s.height) for s in manifest.samples} == {(250, 250)}


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "VALID", "TEST"), ("training", "validation", "testing")]
)
def test_part_folders_are_taken_as_they_are(names: tuple[str, str, str], tmp_path: Path) -> None:
    for number, name in enumerate(names):
        write_classes(tmp_path / name, TWO, first=100 * number)
    manifest = scan(tmp_path)
    assert parts(manifest) == {"train": 10, "val": 10, "test": 10}
    for split, name in zip(("train", "val", "test"), names, strict=True):
        assert all(s.path.startswith(f"{name}/{s.label}/") for s in manifest.of(split))


@pytest.mark.parametrize("others", [(), ("test",)])
def test_validation_is_held_out_of_train(others: tuple[str, ...], tmp_path: Path) -> None:
    write_classes(tmp_path / "train", TWO)
    for name in others:
        write_classes(tmp_path / name, TWO, first=100)
    manifest = scan(tmp_path)
    assert parts(manifest) == {"train": 8, "val": 2, **dict.fromkeys(others, 10)}
    assert all(s.path.startswith("train/") for s in manifest.of("val"))


def test_parts_elsewhere_and_inside(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", TWO)
    val = write_classes(tmp_path / "elsewhere", TWO, first=100)
    test = write_classes(data / "kept back", TWO, first=200)
    manifest = scan(data, val=val, test=test)
    assert manifest.labels == ("cat", "dog"), "the folder named as a part is no class"
    assert parts(manifest) == {"train": 10, "val": 10, "test": 10}
    assert all((manifest.root / s.path).is_file() for s in manifest.samples)
    assert manifest.skipped == ()


def test_what_is_asked_for_replaces_the_folders_own_part(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"cat": 10, "dog": 10})
    write_classes(tmp_path / "val", TWO, first=100)
    manifest = scan(tmp_path, val=0.3)
    assert parts(manifest) == {"train": 14, "val": 6}
    assert "was ignored" in reasons(manifest.warnings)["val"]


def test_train_beside_other_classes_is_a_class(tmp_path: Path) -> None:
    assert scan(write_classes(tmp_path, {"bus": 3, "car": 3, "train": 3})).labels == ("bus", "car", "train")


def test_folders_beside_the_parts_are_told(tmp_path: Path) -> None:
    for number, name in enumerate(("train", "val", "more")):
        write_classes(tmp_path / name, TWO, first=100 * number)
    with pytest.raises(DataError, match="also holds more"):
        scan(tmp_path)
    shutil.move(tmp_path / "more" / "cat", tmp_path / "unlabelled")
    shutil.rmtree(tmp_path / "more")
    manifest = scan(tmp_path)
    assert parts(manifest) == {"train": 10, "val": 10}
    assert "was ignored" in reasons(manifest.warnings)["unlabelled"]


def test_a_test_folder_beside_class_folders_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    write_classes(tmp_path / "test", TWO, first=100)
    with pytest.raises(DataError, match="must also have train/"):
        scan(tmp_path)


def test_the_first_folder_is_the_class_however_deep(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    for number in range(3):
        write_image(tmp_path / "cat" / "dog" / "2024" / f"{number}.PNG", 100 + number)
    manifest = scan(tmp_path)
    assert Counter(s.label for s in manifest.samples) == {"cat": 8, "dog": 5}


def test_hidden_files_and_folders_are_ignored(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    for number, place in enumerate(
        (".ipynb_checkpoints", "__MACOSX", "cat/.ipynb_checkpoints", "cat/__MACOSX/deep", "dog/.hidden")
    ):
        write_image(tmp_path / place / "x.png", 100 + number)
    (tmp_path / "cat" / "._0.png").write_bytes(b"finder")
    (tmp_path / "cat" / "Thumbs.db").write_bytes(b"windows")
    manifest = scan(tmp_path)
    assert len(manifest.samples) == 10
    assert (manifest.skipped, manifest.warnings) == ((), ())


def test_other_files_are_counted_in_one_warning(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    for name in ("LICENSE", "labels.csv", "cat/a.txt", "cat/b.TXT"):
        (tmp_path / name).write_text("text")
    manifest = scan(tmp_path)
    assert len(manifest.samples) == 10
    told = reasons(manifest.warnings)
    assert told.keys() == {"."}
    assert "so not opened: 4 files (.txt 2, - 1, .csv 1)" in told["."]


@UNIX
def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    (tmp_path / "cat" / "text.jpg").write_text("I am text")
    (tmp_path / "cat" / "empty.png").write_bytes(b"")
    (tmp_path / "cat" / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "cat" / "loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    write_image(tmp_path / "loose.png", 100)
    (tmp_path / "fish").mkdir()
    manifest = scan(tmp_path)
    found = reasons(manifest.skipped)
    assert len(manifest.samples) == 10
    assert manifest.labels == ("cat", "dog")
    expected = {
        "cat/text.jpg": "Not a JPEG",
        "cat/empty.png": "empty",
        "cat/gone.png": "No such file",
        "cat/loop.png": "symbolic links",
        "cat/pipe.png": "Not a regular file",
        "loose.png": "not in a class folder",
        "fish": "contains no images",
    }
    assert found.keys() == expected.keys()
    for path, part in expected.items():
        assert part in found[path]


@UNIX
def test_no_permission_on_a_file_and_on_a_folder() -> None:
    with ordinary_user() as folder:
        write_classes(folder, TWO)
        write_classes(folder / "cat" / "closed", {"deep": 2}, first=100)
        (folder / "cat" / "0.png").chmod(0)
        (folder / "cat" / "closed").chmod(0)
        manifest = scan(folder)
        (folder / "cat" / "closed").chmod(0o700)
        assert len(manifest.samples) == 9
        assert reasons(manifest.skipped).keys() == {"cat/0.png", "cat/closed"}
        assert all("Permission denied" in reason for reason in reasons(manifest.skipped).values())
        folder.chmod(0)
        with pytest.raises(DataError, match="must be readable"):
            scan(folder)
        folder.chmod(0o700)


def test_links_are_followed_but_no_folder_is_read_twice(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", TWO)
    write_classes(tmp_path, {"real fish": 4}, first=100)
    (data / "fish").symlink_to(tmp_path / "real fish")
    (data / "cat" / "up").symlink_to("..")
    (data / "a copy of dog").symlink_to("dog")
    manifest = scan(data)
    assert Counter(s.label for s in manifest.samples) == {"cat": 5, "dog": 5, "fish": 4}
    assert reasons(manifest.skipped).keys() == {"cat/up", "a copy of dog"}


def test_strange_names_survive_a_written_manifest(tmp_path: Path) -> None:
    data = write_classes(tmp_path / "my data", TWO)
    names = ["a b.png", "猫.png", "new\nline.png", "quote\",'.png", "\U0001f600.png"]
    for number, name in enumerate(names):
        write_image(data / "cat" / name, 100 + number)
    manifest = scan(data)
    write_manifest(manifest, tmp_path / "m.parquet")
    again = read_manifest(tmp_path / "m.parquet")
    assert again == manifest
    assert {f"cat/{name}" for name in names} <= {s.path for s in again.samples}
    assert all((again.root / s.path).is_file() for s in again.samples)


def test_names_that_are_no_text_are_listed_and_can_be_written(tmp_path: Path) -> None:
    write_classes(tmp_path / "data", TWO)
    data = os.fsencode(tmp_path / "data")
    shutil.copy(data + b"/cat/0.png", data + b"/cat/\xc3\xa8\xff.png")
    os.mkdir(data + b"/\xfe")
    shutil.copy(data + b"/cat/0.png", data + b"/\xfe/0.png")
    manifest = scan(tmp_path / "data")
    write_manifest(manifest, tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet") == manifest
    assert reasons(manifest.skipped).keys() == {"cat/è\\xff.png", "\\xfe"}
    assert all("UTF-8" in reason for reason in reasons(manifest.skipped).values())
    os.rename(data, data + b"\xff")
    with pytest.raises(DataError, match=r"data\\xff"):
        scan(Path(os.fsdecode(data + b"\xff")))


def test_one_image_under_two_labels_is_told_and_stays_on_one_side(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    shutil.copy(tmp_path / "cat" / "0.png", tmp_path / "dog" / "same.png")
    for seed in range(8):
        manifest = scan(tmp_path, seed=seed)
        told = reasons(manifest.warnings)["cat/0.png"]
        assert "cat here, and also dog (dog/same.png)" in told
        twins = [s for s in manifest.samples if s.path in ("cat/0.png", "dog/same.png")]
        assert len({s.split for s in twins}) == 1
        assert len(twins) == 2


def test_copies_of_one_class_are_kept_and_counted(tmp_path: Path) -> None:
    write_classes(tmp_path, TWO)
    for number in range(3):
        shutil.copy(tmp_path / "cat" / "0.png", tmp_path / "cat" / f"copy {number}.png")
    manifest = scan(tmp_path)
    assert len(manifest.samples) == 13
    assert reasons(manifest.warnings)["."].startswith("3 images are exact copies")


def test_leaks_between_the_users_parts_are_left_out_of_training_first(tmp_path: Path) -> None:
    for number, name in enumerate(("train", "val", "test")):
        write_classes(tmp_path / name, TWO, first=100 * number)
    shutil.copy(tmp_path / "test" / "cat" / "0.png", tmp_path / "train" / "cat" / "leak.png")
    shutil.copy(tmp_path / "test" / "cat" / "0.png", tmp_path / "val" / "dog" / "leak.png")
    shutil.copy(tmp_path / "val" / "dog" / "1.png", tmp_path / "train" / "dog" / "leak.png")
    manifest = scan(tmp_path)
    assert parts(manifest) == {"train": 10, "val": 10, "test": 10}
    found = reasons(manifest.skipped)
    assert found.keys() == {"train/cat/leak.png", "val/dog/leak.png", "train/dog/leak.png"}
    assert "test/cat/0.png" in found["train/cat/leak.png"]
    assert "dog (val/dog/leak.png)" in reasons(manifest.warnings)["test/cat/0.png"]
    sides = {s.sha: s.split for s in manifest.samples}
    assert all(sides[s.sha] == s.split for s in manifest.samples)


def test_held_out_validation_has_nothing_of_the_users_test(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", TWO)
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    for name in ("3.png", "4.png"):
        for label in TWO:
            (tmp_path / "test" / label / name).unlink()
    manifest = scan(tmp_path)
    assert parts(manifest) == {"train": 2, "val": 2, "test": 6}
    assert len(manifest.skipped) == 6


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_manifest(seed: int, tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 30, "dog": 30})
    assert scan(tmp_path, seed=seed) == scan(tmp_path, seed=seed)
    assert scan(tmp_path, seed=seed).digest != scan(tmp_path, seed=seed + 1).digest


def test_progress_counts_every_file(tmp_path: Path) -> None:
    class Counting:
        total = done = 0

        def task(self, description: str, total: int | None = None) -> Counting:
            self.total += total or 0
            return self

        def say(self, text: str) -> None: ...

        def advance(self, count: int = 1) -> None:
            self.done += count

        def __enter__(self) -> Counting:
            return self

        def __exit__(self, *_: object) -> None: ...

    progress = Counting()
    with showing(progress):
        scan(write_classes(tmp_path, {"cat": 150, "dog": 151}))
    assert (progress.total, progress.done) == (602, 602)  # read, and then decoded: all have one size


def test_a_folder_to_evaluate_may_be_small(tmp_path: Path) -> None:
    manifest = scan_part(write_classes(tmp_path, {"cat": 1}), "test")
    assert [(s.path, s.label, s.split) for s in manifest.samples] == [("cat/0.png", "cat", "test")]
    with pytest.raises(NotFoundError):
        scan_part(tmp_path / "none")
