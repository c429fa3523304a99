"""`labels.csv` as a source of images: which shapes it may have, and what is wrong with others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
from PIL import Image

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.data.source import scan, scan_part
from eyebright.data.sources.recognise import find_listing
from eyebright.data.splits.drawing import Drawing
from eyebright.data.table.chosen import ANY_COLUMNS
from eyebright.data.table.scan import scan_listed
from eyebright.errors import DataError, NotFoundError

COUNT = 40


@pytest.fixture
def folder(tmp_path: Path, scenes: list[Image.Image]) -> Path:
    """Forty different crops of a photograph, without a table."""
    (tmp_path / "images").mkdir()
    for i in range(COUNT):
        scenes[0].crop((8 * i, 0, 8 * i + 32, 32)).save(tmp_path / "images" / f"{i:02}.png")
    return tmp_path


def write(folder: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder


def flags(i: int) -> str:
    """Two labels that come in all four combinations."""
    return f"{int(i % 2 == 0)},{int(i % 4 < 2)}"


def table(folder: Path, header: str = "path,cell,dust", more: str = "") -> Path:
    return write(folder, [header, *(f"images/{i:02}.png,{flags(i)}{more}" for i in range(COUNT))])


def labels_of(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    return {s.path: s.labels for s in manifest.samples}


def test_columns_of_0_and_1_are_labels(folder: Path):
    manifest = scan(table(folder))
    assert manifest.labels == manifest.label_set == ("cell", "dust")
    found = labels_of(manifest)
    assert [found[f"images/{i:02}.png"] for i in range(4)] == [("cell", "dust"), ("dust",), ("cell",), ()]
    assert len(manifest.samples) == COUNT
    assert not manifest.skipped


@pytest.mark.parametrize("between", [";", "|", ","])
def test_a_list_says_the_same_as_columns(folder: Path, between: str):
    by_column = labels_of(scan(table(folder)))
    names = {path: between.join(labels) for path, labels in by_column.items()}
    write(folder, ["image,labels", *(f'{path},"{text}"' for path, text in names.items())])
    assert labels_of(scan(folder)) == by_column


def test_a_table_is_let_go_before_splits_are_drawn(folder: Path):
    _, source = find_listing(table(folder))
    assert source is not None
    given = [source.read(ANY_COLUMNS, False)]
    read = ref(given[0].table)

    def near(root: Path, samples: Sequence[Sample]) -> list[list[int]]:
        assert read() is None, "of millions of rows, memory is needed then"
        return []

    manifest = scan_listed(given.pop(), drawing=Drawing(near))
    assert len(manifest.samples) == COUNT


def test_one_name_an_image_is_a_class(folder: Path):
    write(folder, ["file;kind", *(f"images/{i:02}.png;{'ab'[i % 2]}" for i in range(COUNT))])
    manifest = scan(folder)
    assert manifest.label_set is None
    assert manifest.labels == ("a", "b")
    assert manifest.counts()["train"] == {"a": 16, "b": 16}


def test_one_label_each_is_a_class_but_for_a_multi_label_model(folder: Path):
    write(folder, ["path,labels", *(f"images/{i:02}.png,{'ab'[i % 2]}" for i in range(COUNT))])
    assert scan(folder).label_set is None
    assert scan(folder, multilabel=True).label_set == ("a", "b")
    assert scan_part(folder, "auto", multilabel=True)[0].label_set == ("a", "b")


def test_the_split_column_is_followed_and_read_back_by_evaluation(folder: Path):
    parts = ["train"] * 24 + ["valid"] * 8 + ["test"] * 8
    rows = [f"images/{i:02}.png,{flags(i)},{part}" for i, part in enumerate(parts)]
    write(folder, ["path,cell,dust,split", *rows])
    manifest = scan(folder)
    assert Counter(s.split for s in manifest.samples) == {"train": 24, "val": 8, "test": 8}
    judged, split = scan_part(folder, "auto")
    assert split == "test"
    assert {s.path for s in judged.samples} == {s.path for s in manifest.of("test")}
    assert scan_part(folder, "val")[1] == "val"
    with pytest.raises(DataError, match="split column"):
        scan(folder, val=0.3)


def test_without_parts_all_images_are_evaluated(folder: Path):
    manifest, split = scan_part(table(folder), "auto")
    assert split == "test"
    assert len(manifest.of("test")) == COUNT
    with pytest.raises(NotFoundError, match="lists no readable val image"):
        scan_part(folder, "val")


def test_our_split_holds_each_label_in_proportion(folder: Path):
    manifest = scan(table(folder), val=0.25, test=0.25)
    counts = manifest.counts()
    for part in ("val", "test"):
        assert 3 <= counts[part]["cell"] <= 7
        assert 3 <= counts[part]["dust"] <= 7
    assert scan(folder, val=0.25, test=0.25).samples == manifest.samples


def test_groups_stay_together_also_through_copies(folder: Path):
    image = (folder / "images" / "00.png").read_bytes()
    (folder / "images" / "20.png").write_bytes(image)  # joins the groups of images 0 and 20
    rows = [f"images/{i:02}.png,{flags(i)},patient {i // 2}" for i in range(COUNT)]
    manifest = scan(write(folder, ["path,cell,dust,group", *rows]), val=0.4)
    part = {s.path: s.split for s in manifest.samples}
    assert all(part[f"images/{i:02}.png"] == part[f"images/{i + 1:02}.png"] for i in range(0, COUNT, 2))
    assert len({part[f"images/{i:02}.png"] for i in (0, 1, 20, 21)}) == 1
    assert set(part.values()) == {"train", "val"}


def test_what_cannot_be_used_is_listed(folder: Path):
    rows = [f"images/{i:02}.png,{flags(i)}" for i in range(COUNT - 1)]
    more = ["images/gone.png,1,0", "images/00.png,1,1", "images/01.png,1,1"]
    manifest = scan(write(folder, ["path,cell,dust", *rows, *more]))
    reasons = [(s.path, s.reason) for s in manifest.skipped]
    assert [path for path, _ in reasons] == ["images/gone.png", "images/00.png", "images/01.png"]
    assert "there is no such file" in reasons[0][1]
    assert "listed more than once" in reasons[1][1]
    assert "also with the labels" in reasons[2][1]
    assert any(w.reason_values.get("count") == 1 and "Not listed" in w.reason for w in manifest.warnings)


def test_a_column_that_holds_no_labels_is_noted(folder: Path):
    manifest = scan(table(folder, "path,cell,dust,camera", ",left"))
    assert manifest.labels == ("cell", "dust")
    assert any(w.reason_values == {"names": "camera"} for w in manifest.warnings)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["where,cell,dust", "images/00.png,1,0"], "a column named path"),
        (["path,where,who", "images/00.png,here,me"], "a column named label"),
        (["path,cell,dust,split", "images/00.png,1,0,some"], "Line 2 .* has 'some'"),
        (["path,cell,dust", "nowhere.png,1,0"], "None of the images"),
        (["path,Cell,cell", "images/00.png,1,0", "images/01.png,1,1"], "differ by more than case"),
        (["path,label", "images/00.png,a", "images/00.png,b", "images/01.png,b"], "one row for each image"),
        (["path,label", "images/00.png,", "images/01.png,"], "the label of all 2 rows is empty"),
        (["path,label", "00.png,a", "01.png,b"], "00.png, which is not there, but images/00.png is"),
        (["path,label", "C:\\photos\\images\\00,a", "01.png,b"], "but images/00.png is"),
    ],
)
def test_tables_that_cannot_be_used_say_why(folder: Path, lines: list[str], message: str):
    with pytest.raises(DataError, match=message):
        scan(write(folder, lines))


def test_a_table_in_another_encoding_is_refused(folder: Path):
    with pytest.raises(DataError, match=r"UTF-8.*Line 2 of .* is in another encoding"):
        scan(write(folder, ["path,size", "images/größe.png,1"], "latin-1"))
    assert scan(table(folder, "path,cell,größe")).labels == ("cell", "größe")


@pytest.mark.parametrize("hits", [1, COUNT])
def test_a_label_that_nothing_can_be_learned_of_is_refused(folder: Path, hits: int):
    rows = [f"images/{i:02}.png,{i % 2},{int(i < hits)}" for i in range(COUNT)]
    with pytest.raises(DataError, match=rf"rare \({hits}\)"):
        scan(write(folder, ["path,common,rare", *rows]))


def test_a_rare_label_is_a_warning(folder: Path):
    rows = [f"images/{i:02}.png,{i % 2},{int(i < 3)}" for i in range(COUNT)]
    manifest = scan(write(folder, ["path,common,rare", *rows]))
    assert [w.reason_values["label"] for w in manifest.warnings if "rarer case" in w.reason] == ["rare"]


def test_a_manifest_of_several_labels_comes_back_from_disk(folder: Path, tmp_path: Path):
    rows = [f"images/{i:02}.png,{flags(i)},day {i % 5}" for i in range(COUNT)]
    manifest = scan(write(folder, ["path,cell,dust,group", *rows]), val=None)
    write_manifest(manifest, tmp_path / "manifest.parquet")
    assert read_manifest(tmp_path / "manifest.parquet") == manifest


def test_class_folders_beside_a_table_are_noted_and_not_used(folder: Path):
    (folder / "cats").mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "cats" / "a.png")
    manifest = scan(table(folder))
    assert manifest.labels == ("cell", "dust")
    assert any("Not listed" in w.reason for w in manifest.warnings)


@pytest.mark.parametrize("form", ["{0}.png", "{0}", ".\\{0}.png", "{folder}/{0}.png", "./{0}.png"])
def test_paths_in_every_writing_are_found(form: str, folder: Path):
    names = [form.format(f"images/{i:02}", folder=folder) for i in range(COUNT)]
    if "\\" in form:
        names = [name.replace("/", "\\") for name in names]
    manifest = scan(write(folder, ["path,label", *(f"{name},{'ab'[i % 2]}" for i, name in enumerate(names))]))
    assert len(manifest.samples) == COUNT
    assert not manifest.skipped
    assert not [w for w in manifest.warnings if "Not listed" in w.reason]


def test_a_name_without_extension_that_fits_two_images_is_skipped(folder: Path):
    (folder / "images" / "00.jpg").write_bytes((folder / "images" / "00.png").read_bytes())
    manifest = scan(write(folder, ["path,label", *(f"images/{i:02},{'ab'[i % 2]}" for i in range(COUNT))]))
    assert [(s.path, s.reason_values) for s in manifest.skipped] == [
        ("images/00", {"names": "00.jpg, 00.png"})
    ]


def test_a_row_without_a_label_names_its_image_all_the_same(folder: Path):
    rows = [f"images/{i:02}.png,{'ab'[i % 2] if i > 2 else ''}" for i in range(COUNT - 1)]
    manifest = scan(write(folder, ["path,label", *rows]))
    assert [s.path for s in manifest.skipped] == [f"images/{i:02}.png" for i in range(3)]
    assert [w.reason_values["count"] for w in manifest.warnings if "Not listed" in w.reason] == [1]


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups_to_hold_some_out_are_refused(groups: int, folder: Path):
    rows = [f"images/{i:02}.png,{flags(i)},{i % groups}" for i in range(COUNT)]
    with pytest.raises(DataError, match="there must be at least 2 groups for training and 1 for validation"):
        scan(write(folder, ["path,cell,dust,group", *rows]))


def test_a_pipe_of_the_tables_name_is_refused(folder: Path):
    os.mkfifo(folder / "labels.csv")
    with pytest.raises(DataError, match="regular file"):
        scan(folder)
