"""The formats of `eyebright predict`."""

from __future__ import annotations

import csv
import io
import json

import pytest

from eyebright.types import Prediction, Skipped
from eyebright.verbs.predict.rows import writer

ODD = 'a "b", c\nd 图.jpg'
CAT = Prediction("x/cat.jpg", ("cat", "dog"), (0.9, 0.1))
MISSPELT = Prediction(ODD, ("狗", "cat"), (0.6, 0.4))


def written(form: str, *answers: Prediction | Skipped, out: io.StringIO | None = None) -> str:
    out = io.StringIO() if out is None else out
    rows = writer(form, out)
    for answer in answers:
        if isinstance(answer, Skipped):
            rows.skipped(answer)
        else:
            rows.prediction(answer)
    rows.end()
    return out.getvalue()


def test_csv_reads_back():
    rows = list(csv.reader(io.StringIO(written("csv", CAT, MISSPELT))))
    assert rows[0] == ["path", "label", "confidence", "label_2", "confidence_2"]
    assert rows[1] == ["x/cat.jpg", "cat", "0.900000", "dog", "0.100000"]
    assert rows[2][:2] == [ODD, "狗"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_csv_on_a_terminal_cannot_steer_it():
    sly = Prediction("a\x1b[2J.jpg", ("cat\u202e",), (1.0,))
    assert "a\x1b[2J.jpg,cat\u202e," in written("csv", sly)
    assert r"a\x1b[2J.jpg,cat\u202e," in written("csv", sly, out=Terminal())


def test_csv_without_rows_has_a_header():
    assert written("csv") == "path,label,confidence\n"


def test_jsonl_is_one_object_a_line():
    lines = written("jsonl", MISSPELT, Skipped("b.jpg", "It holds {count} bytes.", {"count": 3})).splitlines()
    assert len(lines) == 2
    first, second = map(json.loads, lines)
    assert first == {
        "path": ODD,
        "label": "狗",
        "confidence": 0.6,
        "top": [{"label": "狗", "confidence": 0.6}, {"label": "cat", "confidence": 0.4}],
    }
    assert second == {"path": "b.jpg", "error": "It holds 3 bytes."}


STRANGE = Prediction("x.jpg", ("cat", "dog"), (0.9, 0.1), None, 7.25, True, ("cat", "dog"))
DOUBTED = Prediction("y.jpg", ("cat",), (0.6,), None, 0.5, False, ("cat", "dog"))


def test_what_is_unknown_and_sets_are_told():
    assert written("table", STRANGE, DOUBTED).splitlines() == [
        "         unknown  x.jpg  [cat 90.0 %]",
        " 10.0 %  dog",
        " 60.0 %  cat      y.jpg  {cat, dog}",
    ]
    rows = list(csv.DictReader(io.StringIO(written("csv", DOUBTED))))
    assert rows[0]["unknown"] == "false"
    assert json.loads(rows[0]["set"]) == ["cat", "dog"]
    line = json.loads(written("jsonl", STRANGE))
    assert (line["unknown"], line["unknown_score"], line["set"]) == (True, 7.25, ["cat", "dog"])


def test_jsonl_keeps_names_that_are_not_text():
    line = written("jsonl", Prediction("\udcff.jpg", ("狗",), (1.0,)))
    line.encode("utf-8")
    assert json.loads(line)["path"] == "\udcff.jpg"


def test_table_names_the_path_once_and_escapes_it():
    assert written("table", MISSPELT).splitlines() == [
        ' 60.0 %  狗   a "b", c\\nd 图.jpg',
        " 40.0 %  cat",
    ]


@pytest.mark.parametrize("form", ["table", "csv"])
def test_skipped_images_are_no_rows(form: str):
    assert written(form, CAT, Skipped("b.jpg", "Broken.")) == written(form, CAT)
