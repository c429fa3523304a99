"""Bad input: each kind is a clear sentence or a skip with its reason, and nothing else is lost."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import QUICK, eyebright, metrics, photos, refused, train
from PIL import Image
from unix import UNIX

BACKBONE = Path(sys.modules["eyebright"].__file__ or "").parent / "backbones/files/efficientnet_lite0.onnx"


@pytest.fixture
def data(digits: Path, tmp_path: Path) -> Path:
    """Four handwritten digits of each kind, to be spoilt."""
    return photos(digits, tmp_path / "data", 4)


def spoil(data: Path, kind: str) -> Path:
    """Makes ``data`` something that cannot be trained on; gives what to train on."""
    match kind:
        case "empty":
            shutil.rmtree(data)
            data.mkdir()
        case "one class":
            for label in "123456789":
                shutil.rmtree(data / label)
        case "one image":
            for file in sorted((data / "7").iterdir())[1:]:
                file.unlink()
        case "no classes":
            return data / "3"
        case "case":
            (data / "3").rename(data / "Cat")
            (data / "4").rename(data / "cat")
        case "a file":
            return next((data / "3").iterdir())
        case "missing":
            return data / "none"
        case "all damaged":
            for file in data.rglob("*.png"):
                file.write_bytes(file.read_bytes()[:60])
    return data


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("empty", "The folder must contain images"),
        ("one class", "At least 2 classes are required."),
        (
            "one image",
            "at least 2 readable training images. Too few in: 7 (1).",
        ),
        ("no classes", "Images must be in one folder per class."),
        ("case", "Cat and cat do not. Merge the two classes, or rename one."),
        ("a file", "is none of them. Convert it, or give the folder."),
        ("missing", "The data must exist."),
        ("all damaged", "Training images must be readable. All of them (30)"),
    ],
)
def test_data_that_cannot_be_trained_on(kind: str, sentence: str, data: Path, tmp_path: Path) -> None:
    done = eyebright("train", spoil(data, kind), "--out", tmp_path / "run", *QUICK)
    assert sentence in refused(done)
    assert not (tmp_path / "run" / "metrics.json").exists()


# ---- files that are skipped


def bomb(path: Path, side: int = 50_000) -> None:
    """A black PNG of side x side pixels: 1 MB on disk, 2.5 GB as Pillow would hold it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    rows = zlib.compressobj(1)
    empty = bytes((1 + -(-side // 8)) * 100)
    packed = b"".join([rows.compress(empty) for _ in range(side // 100)] + [rows.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def bad_files(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    photo = next((textile / "train" / "local").iterdir()).read_bytes()
    (folder / "cut.jpg").write_bytes(photo[: len(photo) // 2])
    (folder / "text.jpg").write_text("This is a letter.\n")
    (folder / "empty.png").touch()
    bomb(folder / "bomb.png")
    return folder


REASONS = {
    "bomb.png": "The image has more than 178 million pixels",
    "cut.jpg": "The image is truncated or damaged (image file is truncated",
    "empty.png": "The file is empty.",
    "text.jpg": "Not a JPEG, PNG, WebP, BMP, TIFF, GIF or other known image, whatever its name says.",
}


def little_memory() -> None:
    """Room for the program, not for the bomb."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2_400_000_000, 2_400_000_000))


@pytest.mark.xdist_group("alone")
@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are Linux's")
def test_predict_names_what_it_skips_and_goes_on(run: Path, bad_files: Path, tmp_path: Path) -> None:
    shutil.copytree(bad_files, tmp_path / "new")
    Image.new("RGB", (1, 1), "red").save(tmp_path / "new" / "one pixel.png")
    os.mkfifo(tmp_path / "new" / "pipe.jpg")
    done = eyebright("predict", run, "new", "--format", "csv", cwd=tmp_path, before=little_memory)
    assert done.returncode == 1
    for name, reason in REASONS.items():
        assert f"new/{name}: {reason}" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "path,label,confidence,unknown,set"
    assert [line.split(",")[0] for line in lines[1:]] == ["new/one pixel.png"]


def test_predict_refuses_a_name_that_stands_for_nothing_before_it_begins(
    run: Path, val_images: list[Path], tmp_path: Path
) -> None:
    done = eyebright("predict", run, val_images[0], "missing*.jpg", "--format", "csv", cwd=tmp_path)
    assert "missing*.jpg matches nothing." in refused(done)
    assert done.stdout == ""
    done = eyebright("predict", run, "-", stdin=b"missing.jpg\n" + os.fsencode(val_images[0]), cwd=tmp_path)
    assert done.returncode == 1
    assert "missing.jpg: The image must exist." in done.stderr
    assert len(done.stdout.splitlines()) == 1


@UNIX
def test_train_skips_with_a_reason(textile: Path, bad_files: Path, tmp_path: Path) -> None:
    data = photos(textile / "train", tmp_path / "data", 8)
    for file in bad_files.iterdir():
        shutil.copy(file, data / "local")
    Image.new("RGB", (1, 1), "red").save(data / "local" / "one pixel.png")
    (data / "local" / "loop").symlink_to(data)
    (data / "nominal" / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(data / "nominal" / "pipe.jpg")
    figures = train(data, tmp_path / "run")
    reasons = {entry["path"]: entry["reason"] for entry in figures["skipped"]}
    assert reasons.keys() == {
        *(f"local/{name}" for name in REASONS),
        "local/loop",
        "nominal/self.jpg",
        "nominal/pipe.jpg",
    }
    for name, reason in REASONS.items():
        assert reasons[f"local/{name}"].startswith(reason)
    assert "This link leads to a folder that was already read." in reasons["local/loop"]
    assert "Too many levels of symbolic links" in reasons["nominal/self.jpg"]
    assert sum(figures["images"].values()) == 3 * 8 + 1


def test_a_test_part_of_damaged_images_alone_is_an_error(textile: Path, tmp_path: Path) -> None:
    data, test = (
        photos(textile / "train", tmp_path / "data", 8),
        photos(textile / "val", tmp_path / "test", 3),
    )
    for file in test.rglob("*.jpg"):
        file.write_bytes(file.read_bytes()[:-2000])  # the header is whole, so that the scan sees no harm
    done = eyebright("train", data, "--test", test, "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 1
    assert "test split must contain a readable image." in done.stderr
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_names_with_anything_in_them(textile: Path, tmp_path: Path) -> None:
    data = photos(textile / "train", tmp_path / "a 数据\nb", 6)
    (data / "local").rename(data / "局部 瑕疵\nx")
    odd = ["with space.jpg", "织物.jpg", "line\nbreak.jpg", "quote\",'.jpg", "-dash.jpg", "$(id);&.jpg"]
    files = sorted((data / "局部 瑕疵\nx").iterdir())
    for file, name in zip(files, odd, strict=True):
        file.rename(file.with_name(name))
    figures = train(data, tmp_path / "run")
    assert figures["skipped"] == []
    assert "局部 瑕疵\nx" in figures["labels"]
    listed = b"\0".join(os.fsencode(path) for path in sorted(data.rglob("*.jpg")))
    done = eyebright("predict", tmp_path / "run", "-", "--null", "--format", "jsonl", stdin=listed)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 18
    table = eyebright("predict", tmp_path / "run", data)
    assert len(table.stdout.splitlines()) == 18  # a line break in a name does not become one in the table
    assert "line\\nbreak.jpg" in table.stdout


def test_one_image_under_two_labels_is_reported(data: Path, tmp_path: Path) -> None:
    file = next((data / "3").iterdir())
    shutil.copy(file, data / "8" / "again.png")
    warnings = train(data, tmp_path / "run")["warnings"]
    reason = next(w["reason"] for w in warnings if w["path"] == f"3/{file.name}")
    assert "3 here, and also 8 (8/again.png)." in reason


# ---- permissions


def without_root_rights() -> None:
    """Root may read everything; without these two capabilities it heeds permissions like anyone else."""
    drop = 24  # PR_CAPBSET_DROP
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0):
            os._exit(77)


@pytest.fixture
def ordinary() -> Callable[[], None] | None:
    if sys.platform != "linux":
        pytest.skip("permissions are tried on Linux")
    return without_root_rights if os.geteuid() == 0 else None


@UNIX
def test_no_permission_to_read(data: Path, tmp_path: Path, ordinary: Callable[[], None] | None) -> None:
    secret = next((data / "3").iterdir())
    secret.chmod(0)
    (data / "4" / "closed").mkdir(mode=0)
    done = eyebright("train", data, "--out", tmp_path / "run", *QUICK, before=ordinary)
    assert done.returncode == 0, done.stderr
    reasons = {entry["path"]: entry["reason"] for entry in metrics(tmp_path / "run")["skipped"]}
    assert reasons.keys() == {f"3/{secret.name}", "4/closed"}
    assert all("Permission denied" in reason for reason in reasons.values())
    data.chmod(0)
    done = eyebright("train", data, "--out", tmp_path / "other", *QUICK, before=ordinary)
    data.chmod(0o755)
    assert "must be readable." in refused(done)


@UNIX
@pytest.mark.parametrize("place", ["out", "cache", "model"])
def test_no_permission_to_write(
    place: str, run: Path, data: Path, tmp_path: Path, ordinary: Callable[[], None] | None
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    out = closed / "run" if place == "out" else tmp_path / "run"
    if place == "model":
        shutil.copy(run / "model.onnx", tmp_path)
        (tmp_path / "model.onnx").chmod(0)
        done = eyebright("predict", tmp_path / "model.onnx", data, before=ordinary)
        assert "The model file must be readable." in refused(done)
        assert "Permission denied" in refused(done)
        return
    cache = closed / "cache" if place == "cache" else None
    done = eyebright("train", data, "--out", out, *QUICK, cache=cache, before=ordinary)
    assert "Permission denied" in refused(done)
    assert str(closed) in refused(done)


@pytest.mark.parametrize("place", ["out", "cache"])
def test_a_file_where_a_folder_must_be(place: str, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    out, cache = (file, None) if place == "out" else (tmp_path / "run", file)
    done = eyebright("train", data, "--out", out, *QUICK, cache=cache)
    assert str(file) in refused(done)


# ---- models and words


@pytest.mark.parametrize("kind", ["text", "empty", "another model", "no file", "no run", "half"])
def test_a_model_that_is_not_ours(kind: str, run: Path, val_images: list[Path], tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    match kind:
        case "text":
            model.write_text("no model")
        case "empty":
            model.touch()
        case "another model":
            model = BACKBONE
        case "half":
            content = (run / "model.onnx").read_bytes()
            model.write_bytes(content[: len(content) // 2])
        case "no run":
            model = tmp_path
    for words in (("predict", model, val_images[0]), ("evaluate", model, val_images[0].parents[1])):
        sentence = refused(eyebright(*words, cwd=tmp_path))
        asked = "The model must exist." if kind.startswith("no ") else "A sealed model must be an ONNX file"
        assert sentence.startswith(asked)
        assert str(model) in sentence


def test_a_class_that_the_model_does_not_know(run: Path, textile: Path, tmp_path: Path) -> None:
    data = photos(textile / "val", tmp_path / "data", 2)
    (data / "nominal").rename(data / "nominall")
    sentence = refused(eyebright("evaluate", run, data, "--out", tmp_path / "out"))
    assert "It does not know: nominall. Closest matches: nominal." in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tarin", "photos"], "There is no command tarin; the closest are: train"),
        (["train", "photos", "--veiws", "2"], "Unknown option --veiws. The closest are: --views"),
        (["train", "photos", "--layers", "textures"], "layers must be auto, texture, stages or all"),
        (["train", "photos", "--size", "97"], "size must be a multiple of 32 or auto; got '97'."),
        (["train", "photos", "--size", "-32"], "size must be at least 64 or auto; got '-32'."),
        (["train", "photos", "--lang", "de"], "The language must be one of en, zh. Got 'de'."),
    ],
)
def test_words_that_do_not_exist_meet_the_nearest(words: list[str], sentence: str, tmp_path: Path) -> None:
    assert sentence in refused(eyebright(*words, cwd=tmp_path), status=2)
