"""Images that a service keeps where it was asked to: the most doubtful ones, and never more."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from eyebright.monitoring.kept_images import KeptImages


def _image(number: int, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 0)).save(buffer, kind)
    return buffer.getvalue()


def test_the_most_doubtful_stay(tmp_path: Path):
    kept = KeptImages(tmp_path / "new" / "images", 3)
    doubts = [0.2, 1.5, 0.1, 0.9, 7.0, 0.3]
    names = [kept.keep(_image(i), doubt) for i, doubt in enumerate(doubts)]
    assert names[5] == ""
    left = {path.read_bytes() for path in (tmp_path / "new" / "images").iterdir()}
    assert left == {_image(1), _image(3), _image(4)}
    assert Path(names[4]).read_bytes() == _image(4)


def test_a_service_that_starts_again_goes_on(tmp_path: Path):
    (tmp_path / "notes-of-mine.txt").write_text("stay")
    for number in range(6):
        KeptImages(tmp_path, 2).keep(_image(number), number)
    assert {path.read_bytes() for path in tmp_path.glob("*.png")} == {_image(4), _image(5)}
    assert (tmp_path / "notes-of-mine.txt").read_text() == "stay"


@pytest.mark.parametrize(("kind", "extension"), [("JPEG", ".jpg"), ("WEBP", ".webp"), ("TIFF", ".tif")])
def test_files_keep_their_format(tmp_path: Path, kind: str, extension: str):
    assert KeptImages(tmp_path, 1).keep(_image(1, kind), 1).endswith(extension)


def test_the_same_image_is_kept_once(tmp_path: Path):
    kept = KeptImages(tmp_path, 5)
    assert kept.keep(_image(1), 1) == kept.keep(_image(1), 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_made_costs_no_answer(tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert KeptImages(tmp_path / "file" / "images", 5).keep(_image(1), 1) == ""
