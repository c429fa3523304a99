"""Answers come one after another, in the order in which images were named."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest
from command_line import eyebright

import eyebright as eb
from eyebright.errors import ConfigError, DataError, NotFoundError
from eyebright.runs.run import Run
from eyebright.sealed import model as sealed_model
from eyebright.types import Prediction, Skipped
from eyebright.verbs.predict import tables


@pytest.fixture
def folder(textile: Path, tmp_path: Path) -> Path:
    """Six photographs in two folders, with names that are hard to handle."""
    files = sorted((textile / "val").rglob("*.jpg"))[::5]
    names = ["a.jpg", "b b.JPG", "中文.jpg", "line\nbreak.jpg", "inner/c[1].jpg", "inner/d*.jpg"]
    root = tmp_path / "photos"
    (root / "inner").mkdir(parents=True)
    for file, name in zip(files, names, strict=True):
        shutil.copyfile(file, root / name)
    return root


def asked(run: Run, *images: object, **options: object) -> list[Prediction | Skipped]:
    return list(eb.predict(run.model, [str(image) for image in images], **options))


def paths(answers: list[Prediction | Skipped]) -> list[str]:
    return [answer.path or "" for answer in answers]


def piped(data: bytes) -> IO[str]:
    """The reading end of a pipe that holds ``data``."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(data)
    return os.fdopen(reading)


def test_files_are_answered_in_their_order(textile_run: Run, folder: Path) -> None:
    files = [folder / "中文.jpg", folder / "a.jpg", folder / "line\nbreak.jpg", folder / "a.jpg"]
    answers = asked(textile_run, *files)
    assert paths(answers) == [str(file) for file in files]
    assert answers[1] == answers[3]
    model = eb.load(textile_run.model)
    assert [a.label for a in answers] == [model.predict(file).label for file in files]


def test_a_folder_gives_all_its_images(textile_run: Run, folder: Path) -> None:
    (folder / ".hidden.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    answers = asked(textile_run, folder)
    assert sorted(paths(answers)) == sorted(str(f) for f in folder.rglob("*.[jJ]*") if f.name[0] != ".")
    assert len(answers) == 6
    assert all(isinstance(answer, Prediction) for answer in answers)


def test_patterns_are_matched(textile_run: Run, folder: Path) -> None:
    assert len(asked(textile_run, folder / "*.jpg")) == 3
    assert len(asked(textile_run, folder / "**" / "*.jpg")) == 5
    assert paths(asked(textile_run, folder / "?.jpg")) == [str(folder / "a.jpg")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(textile_run: Run, folder: Path) -> None:
    names = [folder / "inner" / "c[1].jpg", folder / "inner" / "d*.jpg"]
    assert paths(asked(textile_run, *names)) == [str(name) for name in names]


def test_a_pattern_that_matches_nothing_is_told(textile_run: Run, folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"\*\.png matches nothing"):
        asked(textile_run, folder / "*.png")


def test_a_file_that_cannot_be_read_does_not_stop_the_others(textile_run: Run, folder: Path) -> None:
    (folder / "broken.jpg").write_text("no image")
    os.symlink(folder / "nowhere.jpg", folder / "dangling.jpg")
    first, broken, dangling, last = asked(
        textile_run, folder / "a.jpg", folder / "broken.jpg", folder / "dangling.jpg", folder / "b b.JPG"
    )
    assert isinstance(first, Prediction)
    assert isinstance(last, Prediction)
    for skipped in (broken, dangling):
        assert isinstance(skipped, Skipped)
        assert skipped.reason
    assert broken.path == str(folder / "broken.jpg")


def test_top_limits_the_classes(textile_run: Run, folder: Path) -> None:
    for top, count in ((1, 1), (2, 2), (9, 3)):
        (answer,) = asked(textile_run, folder / "a.jpg", top=top)
        assert len(answer.labels) == len(answer.probabilities) == count


@pytest.mark.parametrize(("null", "end"), [(False, "\n"), (True, "\0")])
def test_paths_are_read_from_standard_input(textile_run: Run, folder: Path, monkeypatch, null, end) -> None:
    names = [str(folder / "a.jpg"), str(folder / "中文.jpg")] + (
        [str(folder / "line\nbreak.jpg")] if null else []
    )
    given = os.fsencode(end.join(names) + end)
    monkeypatch.setattr(sys, "stdin", piped(given))
    assert paths(asked(textile_run, "-", null=null)) == names


def test_the_last_line_needs_no_end(textile_run: Run, folder: Path, monkeypatch) -> None:
    given = os.fsencode(f"{folder / 'a.jpg'}\r\n\n{folder / 'b b.JPG'}")
    monkeypatch.setattr(sys, "stdin", piped(given))
    assert paths(asked(textile_run, "-")) == [str(folder / "a.jpg"), str(folder / "b b.JPG")]


def test_answers_stream(textile_run: Run, folder: Path, monkeypatch) -> None:
    """The first answer comes long before the last name is read."""
    read = 0

    def endless(names: object, null: bool):
        nonlocal read
        while True:
            read += 1
            yield str(folder / "a.jpg")

    monkeypatch.setattr(tables, "image_paths", endless)
    answers = eb.predict(textile_run.model, [str(folder)])
    for _ in range(3):
        assert isinstance(next(answers), Prediction)
    assert read < 1000
    assert isinstance(answers, Generator)
    answers.close()


def test_no_images_are_refused(textile_run: Run) -> None:
    with pytest.raises(ConfigError, match="images"):
        asked(textile_run)


def test_a_model_that_is_not_there_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.onnx"):
        list(eb.predict(tmp_path / "none.onnx", [str(folder)]))


def test_folders_are_walked_as_training_walks_them(textile_run: Run, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "@eaDir").mkdir(parents=True)
    shutil.copy(folder / "a.jpg", place / "@eaDir" / "preview.jpg")
    shutil.copy(folder / "a.jpg", place / "b.jpg")
    os.mkfifo(place / "pipe.png")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(folder / "a.jpg", elsewhere)
    (place / "link").symlink_to(elsewhere)
    (place / "loop").symlink_to(place)
    answers = asked(textile_run, place)
    told = [answer for answer in answers if isinstance(answer, Skipped)]
    seen = [answer.path for answer in answers if isinstance(answer, Prediction)]
    assert seen == [str(place / "b.jpg"), str(place / "link" / "a.jpg")]
    assert [(s.path, s.reason) for s in told] == [(str(place / "pipe.png"), "Not a regular file. Remove it.")]


def test_files_passed_over_are_counted_on_standard_error(
    textile_run: Run, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    shutil.copy(folder / "a.jpg", place)
    for name in ("a.txt", "b.TXT", "c.raw"):
        (place / name).write_text("other")
    done = eyebright("predict", textile_run.model, place, "--format", "csv")
    assert done.returncode == 0
    assert "so not opened: 3 files (.txt 2, .raw 1)" in done.stderr


@pytest.mark.parametrize("names", [(), ("notes.txt", "IMG_1.raw")])
def test_a_folder_without_images_is_an_error(
    names: tuple[str, ...], textile_run: Run, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_text("other")
    with pytest.raises(DataError, match="2 files with other extensions" if names else "contains none. Check"):
        asked(textile_run, tmp_path)


def test_what_the_model_fails_on_is_one_line(
    textile_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullMemory:
        def run(self, *_: object) -> None:
            raise MemoryError

    monkeypatch.setattr(sealed_model, "open_session", lambda *_: FullMemory())
    (answer,) = asked(textile_run, folder / "a.jpg")
    assert isinstance(answer, Skipped)
    assert answer.reason_values["reason"] == "MemoryError"


def test_archives_and_images_in_them_are_looked_into(textile_run: Run, folder: Path, tmp_path: Path) -> None:
    plain = asked(textile_run, folder)
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in paths(plain):
            file.write(path, Path(path).relative_to(folder))
        file.writestr("../out.jpg", b"")
    packed = asked(textile_run, archive)
    assert [path.replace(str(archive), str(folder)) for path in paths(packed)[:6]] == paths(plain)
    for one, other in zip(packed, plain, strict=False):
        assert isinstance(one, Prediction)
        assert isinstance(other, Prediction)
        assert one.probabilities == other.probabilities
    assert isinstance(packed[6], Skipped)
    assert "leads out" in packed[6].reason
    (inside,) = asked(textile_run, archive / "inner" / "c[1].jpg")
    assert isinstance(inside, Prediction)
