"""Every record of a decision has a date and a status, and both indexes list it as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
RECORD = {
    "decisions": re.compile(r"# (\d{4})\. (.+)\n\n- Date: (\d{4}-\d\d-\d\d)\n- Status: (.+)\n\n## Context\n"),
    "zh/decisions": re.compile(r"# (\d{4})\. (.+)\n\n- 日期：(\d{4}-\d\d-\d\d)\n- 状态：(.+)\n\n## 背景\n"),
}


@pytest.mark.parametrize("folder", list(RECORD))
def test_the_index_lists_every_record(folder: str):
    files = sorted((DOCS / folder).glob("[0-9]*.md"))
    rows = []
    for file in files:
        head = RECORD[folder].match(file.read_text(encoding="utf-8"))
        assert head, f"{file}: number, title, date and status must stand at its head"
        number, title, date, status = head.groups()
        assert file.name.startswith(number)
        rows.append(f"| [{number}]({file.name}) | {title} | {date} | {status} |")
    index = (DOCS / folder / "README.md").read_text(encoding="utf-8")
    assert [line for line in index.splitlines() if line.startswith("| [")] == rows


def test_every_record_has_a_chinese_twin():
    names = [{file.name for file in (DOCS / folder).glob("*.md")} for folder in RECORD]
    assert names[0] == names[1]
    assert len(names[0]) > 30
